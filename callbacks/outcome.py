"""What became of an audit's suspicions, for the terminal's line and for charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unhans.artifacts.case import Case
from unhans.report import raw_images_stand_out, reason_of, state_of
from unhans.report.measures import PROBABILITY
from unhans.spray import Suspicion

LOGGED = ("tau", "lambda_2", "eigengap", "score", "suspicious", "cluster_size")  # per class and epoch
REASON = 100  # characters of a reason in the terminal's line


def findings(ranking: Sequence[Suspicion], cases: Mapping[int, Case]) -> str:
    """Say which classes are proven to be recognised by an artifact, and why the others are suspicious only."""
    suspects = [entry for entry in ranking if entry.suspicious]
    proven = [entry for entry in suspects if entry.label in cases and cases[entry.label].proven]
    others = [_suspicious(entry, ranking, cases.get(entry.label)) for entry in suspects if entry not in proven]
    parts = [f"proven: {', '.join(f'{entry.name} ({outcome(cases[entry.label])})' for entry in proven)}"] * bool(proven)
    parts += [f"suspicious: {', '.join(others) or 'none'}"] * bool(others or not proven)
    return "; ".join(parts)


def _suspicious(entry: Suspicion, ranking: Sequence[Suspicion], case: Case | None) -> str:
    said = [f"λ₂ {entry.lambda_2:.3f}"]
    if raw_images_stand_out(entry, ranking):
        said.append("but its raw images stand apart too")
    if case is not None:
        said.append(outcome(case))
    return f"{entry.name} ({', '.join(said)})"


def outcome(case: Case) -> str:
    """Say in a few words what became of a case: its effect with the 95 % interval, or why there is none."""
    state, reason = state_of(case), reason_of(case)
    if case.proof is None:
        trouble = case.trouble if len(case.trouble) <= REASON else f"{case.trouble[:REASON]}…"
        return f"{reason or state}: {trouble}".rstrip(".: ")
    effect = case.proof.added[0].effect
    change = f"Δp {PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)}"
    return change if case.proven else f"{state}{f', {reason}' if reason else ''}: {change}"


def numbers(case: Case) -> dict[str, float]:
    """Return what a logger can plot: whether it is proven, and Δp with its interval where it was measured."""
    found = {"proven": float(case.proven)}
    if case.proof is not None:
        effect = case.proof.added[0].effect
        low, high = effect.probability_interval
        found |= {"delta_p": effect.probability, "delta_p_low": low, "delta_p_high": high}
    return found


def chartable(ranking: Sequence[Suspicion], cases: Mapping[int, Case]) -> dict[str, float]:
    """Return what an audit logs of every class, by key."""
    scalars = {}
    for found in ranking:
        scalars |= {f"audit/{found.name}/{key}": float(getattr(found, key)) for key in LOGGED}
        if found.label in cases:
            values = numbers(cases[found.label])
            scalars |= {f"audit/{found.name}/{key}": value for key, value in values.items()}
    return scalars
