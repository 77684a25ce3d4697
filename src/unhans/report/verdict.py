"""What the numbers mean, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unhans.spray import Suspicion
    from unhans.spray.finding import ClassAudit

APART = 0.5  # of the other classes' median: raw images below it single a class out


def class_sentence(audit: ClassAudit, suspicion: Suspicion | None = None) -> str:
    """Say what was found in one class, such as "class 3: SUSPICIOUS, λ₂ = 0.012, τ = 3.10, …"."""
    verdict = "" if suspicion is None else "SUSPICIOUS, " if suspicion.suspicious else "inconspicuous, "
    numbers = f"λ₂ = {audit.spray.eigenvalues_[1]:.3f}, τ = {audit.spray.separability_:.2f}"
    if audit.cluster is None:
        return f"class {audit.name}: {verdict}{numbers}, no cluster stands apart"
    size = f"{audit.cluster.members.sum()} of {len(audit.index)}"
    if suspicion is not None and not suspicion.suspicious:
        return f"class {audit.name}: {verdict}{numbers}, the most striking cluster ({size}) does not stand apart"
    return f"class {audit.name}: {verdict}{numbers}, {size} heatmaps form a cluster of their own"


def ranking_sentences(ranking: Sequence[Suspicion]) -> list[str]:
    """Say what a ranking means, one sentence or two for each suspicious class, the control on raw images included."""
    suspicious = [entry for entry in ranking if entry.suspicious]
    if not suspicious:
        return ["No class stands out: none has a cluster of heatmaps that is set far apart from the others."]
    return [f"{_finding(entry)} {_control(entry, ranking)}" for entry in suspicious]


def raw_images_stand_out(entry: Suspicion, ranking: Sequence[Suspicion]) -> bool | None:
    """Tell whether the raw images alone single a class out as well; None if they were not analysed.

    They do if their λ₂ is no larger than that of the heatmaps, or less than half of the median over the other classes'
    raw images.
    """
    own = entry.control_lambda_2
    if own is None:
        return None
    others = [each.control_lambda_2 for each in ranking if each is not entry and each.control_lambda_2 is not None]
    return own <= entry.lambda_2 or (bool(others) and own < APART * median(others))


def _finding(entry: Suspicion) -> str:
    return (
        f"Class {entry.name} is suspicious: {entry.cluster_size} of its {entry.n} heatmaps form a cluster of their own "
        f"(λ₂ {entry.lambda_2:.3f}), so the network seems to use something there that it does not use elsewhere."
    )


def _control(entry: Suspicion, ranking: Sequence[Suspicion]) -> str:
    found = raw_images_stand_out(entry, ranking)
    if found is None:
        return "The raw images were not compared, so this may be a property of the data alone."
    if found:
        return (
            f"Its raw images stand apart as well (λ₂ {entry.control_lambda_2:.3f}): "
            "the cluster is in the data, and the effect of its artifact tells whether the network needs it."
        )
    return (
        f"Its raw images do not stand apart (λ₂ {entry.control_lambda_2:.3f}): it is the network that sets them apart."
    )
