"""What became of an audit's suspicions, for the terminal's line and for charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unhans.effects import Case, reason_of, state_of
from unhans.repair import REASON
from unhans.report.text.case_text import change_said, listed
from unhans.spray import Suspicion

LOGGED = ("tau", "lambda_2", "eigengap", "score", "suspicious", "cluster_size")  # per class and epoch
STATES = ("proven", "open", "not used", "nothing isolated", "not tested")
NAMED = 10  # classes of one state that the terminal's line names


def findings(ranking: Sequence[Suspicion], cases: Mapping[int, Case], verified: bool = True) -> str:
    """Say what is known of every class: proven, open, not used, not isolated, not tested; or which ones stand out.

    Args:
        ranking: the classes, the one that stands out most first.
        cases: by label, those tested in this audit.
        verified: whether classes were to be tested.
    """
    if not verified:
        named = ", ".join(entry.name for entry in ranking if entry.suspicious)
        return f"standing out: {named or 'none'} (verify=True tests what it is)"
    states: dict[str, list[str]] = {state: [] for state in STATES}
    for entry in ranking:
        case = cases.get(entry.label)
        state = "not tested" if case is None else _state(case)
        said = f"{entry.name} ({outcome(case)})" if case is not None and state in ("proven", "open") else entry.name
        states[state].append(said)
    parts = [f"{state}: {listed(names, NAMED)}" for state, names in states.items() if names]
    return "; ".join(parts if states["proven"] else ["proven: none", *parts])


def _state(case: Case) -> str:
    return "nothing isolated" if reason_of(case) == "not isolated" else state_of(case)


def outcome(case: Case) -> str:
    """Say in a few words what became of a case: its effect with the 95 % interval, or why there is none."""
    state, reason, change = state_of(case), reason_of(case), change_said(case)
    if change:
        return change if case.proven else f"{reason or state}: {change}"
    trouble = case.trouble if len(case.trouble) <= REASON else f"{case.trouble[:REASON]}…"
    return f"{reason or state}: {trouble}".rstrip(".: ")


def numbers(case: Case) -> dict[str, float]:
    """Return what a logger can plot: whether it is proven, and Δp with its interval where it was measured.

    features_delta_p is that of the group's direction in feature space, where no pixels were isolated.
    """
    found = {"proven": float(case.proven)}
    for prefix, tested in (("", case.proof), ("features_", case.features)):
        if tested is not None:
            effect = tested.added[0].effect
            low, high = effect.probability_interval
            found |= {f"{prefix}delta_p": effect.probability}
            found |= {f"{prefix}delta_p_low": low, f"{prefix}delta_p_high": high}
    return found


def chartable(ranking: Sequence[Suspicion], cases: Mapping[int, Case], keys: Mapping[int, str]) -> dict[str, float]:
    """Return what an audit logs of every class, by key; keys: what the classes are called there, by label."""
    scalars = {}
    for found in ranking:
        name = keys[found.label]
        scalars |= {f"audit/{name}/{key}": float(getattr(found, key)) for key in LOGGED}
        if found.label in cases:
            values = numbers(cases[found.label])
            scalars |= {f"audit/{name}/{key}": value for key, value in values.items()}
    return scalars | {"audit/proven": float(sum(case.proven for case in cases.values()))}
