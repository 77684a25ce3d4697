"""What an audit says: of one class, of the ranking, and what became of its suspicions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from unhans.effects import Case, Effect, reason_of, state_of
from unhans.report.text.case_text import change_said, listed
from unhans.report.text.isolation_text import failure_said
from unhans.report.text.number_format import PROBABILITY, REASON, SHARE, shorten
from unhans.spray import ClassAudit, Suspicion

LOGGED = ("tau", "lambda_2", "eigengap", "score", "suspicious", "cluster_size")  # per class and epoch
TESTED = ("proven", "open", "not used")
UNTESTED = {"failed": "test failed", "no time": "no time left", "not due": "not their turn"}
NAMED = 10  # classes of one state that the terminal's line names


def findings(
    ranking: Sequence[Suspicion], cases: Mapping[int, Case], verified: bool = True, why: Mapping[int, str] | None = None
) -> str:
    """Say what is known of every class: proven, open, not used, or not tested, and why; or which ones stand out.

    Args:
        ranking: the classes, the one that stands out most first.
        cases: by label, those tested in this audit.
        verified: whether classes were to be tested.
        why: by label, why a class has no case: "failed", "no time" or, by default, "not due".
    """
    if not verified:
        named = ", ".join(entry.name for entry in ranking if entry.suspicious)
        return f"standing out: {named or 'none'} (verify=True tests what it is)"
    states: dict[str, list[str]] = {state: [] for state in TESTED}
    reasons: dict[str, list[str]] = defaultdict(list)
    for entry in ranking:
        case = cases.get(entry.label)
        if case is None:
            reasons[f"not tested, {UNTESTED[(why or {}).get(entry.label, 'not due')]}"].append(entry.name)
        elif case.proof is None and reason_of(case) != "features only":
            few = any(failure.reason == "too few images" for failure in case.failures)
            reasons[f"{state_of(case)}, {'too few images' if few else 'nothing isolated'}"].append(entry.name)
        else:
            state = state_of(case)
            states[state].append(entry.name if state == "not used" else f"{entry.name} ({outcome(case)})")
    parts = [f"{state}: {listed(names, NAMED)}" for state, names in states.items() if names]
    parts += [f"{reason}: {listed(names, NAMED)}" for reason, names in reasons.items()]
    return "; ".join(parts if states["proven"] else ["proven: none", *parts])


def audit_line(epoch: int, classes: int, seconds: float, share: float, found: str, left: Sequence[str]) -> str:
    """Tell an audit in one line for the terminal: what was found, what it cost and what is left for the next one.

    Args:
        epoch: after which.
        classes: how many were audited.
        share: of all time that audits took so far.
        found: as from `findings`.
        left: names of the classes that are left for the next audit.
    """
    later = f"; left for the next audit: {', '.join(left)}" if left else ""
    cost = f"in {seconds:.0f} s ({share:.0%} of all time)"
    return f"epoch {epoch}: SpRAy audit of {classes} classes {cost}; {found}{later}"


def outcome(case: Case) -> str:
    """Say in a few words what became of a case: its effect with the 95 % interval, or why there is none."""
    state, reason, change = state_of(case), reason_of(case), change_said(case)
    if change:
        return change if case.proven else f"{reason or state}: {change}"
    return f"{reason or state}: {shorten('; '.join(map(failure_said, case.failures)), REASON)}".rstrip(".: ")


def numbers(case: Case) -> dict[str, float]:
    """Return what a logger can plot: whether it is proven, and Δp with its interval where it was measured.

    features_delta_p is that of the group's direction in feature space, where no pixels were isolated.
    """
    found = {"proven": float(case.proven)}
    for prefix, tested in (("", case.proof), ("features_", case.features)):
        if tested is not None:
            values = PROBABILITY.numbers(tested.added[0].effect)
            found |= {f"{prefix}{column}": value for column, value in values.items()}
    return found


def chartable(ranking: Sequence[Suspicion], cases: Mapping[int, Case], keys: Mapping[int, str]) -> dict[str, float]:
    """Return what an audit logs of every class, by key.

    Args:
        ranking: the classes of this audit.
        cases: by label, those tested.
        keys: what the classes are called in the keys, by label.
    """
    scalars = {}
    for found in ranking:
        name = keys[found.label]
        scalars |= {f"audit/{name}/{key}": float(getattr(found, key)) for key in LOGGED}
        if found.label in cases:
            values = numbers(cases[found.label])
            scalars |= {f"audit/{name}/{key}": value for key, value in values.items()}
    return scalars | {"audit/proven": float(sum(case.proven for case in cases.values()))}


def monitor_line(
    epoch: int, name: str, class_name: str, added: Effect, removed: Effect | None, state: str, since: int | None
) -> str:
    """Tell in one line for the terminal what a monitored artifact does.

    Args:
        epoch: after which.
        name: of the artifact.
        class_name: of its class.
        added: the effect of laying it over samples of other classes.
        removed: of taking it from samples that carry it, where these are known.
        state: "learned", "forgotten" or "not learned".
        since: the epoch since which it is; None where it never was learned.
    """
    gone = f", removed Δp {PROBABILITY.in_full(removed)}" if removed else ""
    said = f"Δp {PROBABILITY.in_full(added)}, {SHARE.said(added)} flip{gone}"
    when = "" if since is None else f" since epoch {since}"
    return f"epoch {epoch}: artifact {name} → class {class_name!r}: {said}; {state}{when}"


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
    return [entry_sentence(entry, ranking) for entry in suspicious]


def tau_sentence(ranking: Sequence[Suspicion]) -> str:
    """Say over how many clusters τ is averaged, and whether that is the same in all classes; nothing if unknown."""
    most = [entry.tau_clusters for entry in ranking if entry.tau_clusters]
    if not most:
        return ""
    if min(most) == max(most):
        return f"τ is averaged over clusterings into at most {max(most)} clusters."
    less = [each for each in most if each < max(most)]
    return (
        f"τ is averaged over clusterings into at most {max(most)} clusters, but in {len(less)} of {len(most)} classes "
        f"into at most {_range(less)}, since fewer samples allow fewer (5 a cluster): it compares where these are the "
        "same."
    )


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def entry_sentence(entry: Suspicion, ranking: Sequence[Suspicion]) -> str:
    """Say what one class of a ranking came to."""
    if entry.suspicious:
        return f"{_finding(entry)} {_control(entry, ranking)}"
    group = f"its most striking group holds {entry.cluster_size} of its {entry.n} samples"
    return f"Class {entry.name} does not stand out: {group if entry.cluster_size else 'no group stands apart'}."


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
        "tested by its effect (analysis=effect)."
    )


def _control(entry: Suspicion, ranking: Sequence[Suspicion]) -> str:
    found = raw_images_stand_out(entry, ranking)
    if found is None:
        return "The raw images were not compared."
    own = f"λ₂ {entry.control_lambda_2:.3f}"
    if found:
        why = "no larger than that of its heatmaps" if entry.control_lambda_2 <= entry.lambda_2 else "unusually small"
        return f"Its raw images alone fall into groups as well ({own}, {why})."
    return f"Its raw images alone do not fall into groups ({own}, larger than that of its heatmaps)."
