"""What the numbers mean, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unhans.spray import ClassAudit, Suspicion


APART = 0.5  # of the other classes' median: raw images below it single a class out


def class_sentence(audit: ClassAudit, suspicion: Suspicion | None = None) -> str:
    """Say what was found in one class, such as "class 3: stands out, λ₂ = 0.012, τ = 3.10, …"."""
    verdict = "" if suspicion is None else "stands out, " if suspicion.suspicious else "does not stand out, "
    numbers = f"λ₂ = {audit.spray.eigenvalues_[1]:.3f}, τ = {audit.spray.separability_:.2f}"
    if audit.cluster is None:
        return f"class {audit.name}: {verdict}{numbers}, no group stands apart"
    by = f" (found by {audit.cluster.view})" if audit.cluster.view else ""
    size = f"{audit.cluster.members.sum()} of {len(audit.index)} samples{by}"
    return f"class {audit.name}: {verdict}{numbers}, its most striking group holds {size}"


def ranking_sentences(ranking: Sequence[Suspicion]) -> list[str]:
    """Say what a ranking means, in a line for each class that stands out, the control on raw images included."""
    suspicious = [entry for entry in ranking if entry.suspicious]
    if not suspicious:
        return ["No class stands out: in none is a group of samples set apart more than is usual."]
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
        f"Class {entry.name} stands out: a group of {entry.cluster_size} of its {entry.n} samples is set apart more "
        f"than is usual (λ₂ of its heatmaps {entry.lambda_2:.3f}). Whether the network relies on what they share is "
        "decided by its effect."
    )


def _control(entry: Suspicion, ranking: Sequence[Suspicion]) -> str:
    found = raw_images_stand_out(entry, ranking)
    if found is None:
        return "The raw images were not compared."
    if found:
        return f"Its raw images fall into groups as well (λ₂ {entry.control_lambda_2:.3f})."
    return f"Its raw images do not (λ₂ {entry.control_lambda_2:.3f})."
