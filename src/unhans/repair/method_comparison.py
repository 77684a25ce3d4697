"""What every method of repair led to, over seeds: the rows of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from unhans.repair.outcome import BEFORE, OutcomeLike, by_method, name_of
from unhans.stats import Estimate, difference, estimate, share

if TYPE_CHECKING:
    from unhans.repair.assessment import Assessment
    from unhans.stats import Interval, Rate


class Summary(NamedTuple):
    """One method over its seeds.

    clean, added, removed, worst: accuracies; group: the class of the worst group and whether the artifact was added;
    effect: Δp; reduced: by what share its size is smaller than before any repair, with the interval of Δp, None where
    nothing was measured before or its interval holds 0; area: under the ROC curve of the artifact's class on unaltered
    images; kept: the change of clean accuracy against before; seconds: the mean over seeds; notes: what was chosen,
    each once; assessment: of the first seed, which tells on what samples was measured.
    """

    method: str
    name: str
    seeds: int
    clean: Estimate
    added: Estimate
    removed: Estimate | None
    worst: Estimate
    group: tuple[str, bool]
    effect: Estimate
    reduced: tuple[float, Interval] | None
    relevance: Estimate | None
    area: Estimate | None
    kept: Estimate | None
    seconds: float
    notes: tuple[str, ...]
    assessment: Assessment


def summaries(outcomes: Iterable[OutcomeLike]) -> list[Summary]:
    """Sum up every method over its seeds; see `Summary`. Raises ValueError as `by_method` does."""
    methods = by_method(outcomes)
    before = methods.get(BEFORE)
    base = None if before is None else effect_of(before)
    return [_summary(method, runs, before, base) for method, runs in methods.items()]


def rate_of(runs: Sequence[OutcomeLike], rate: Callable[[Assessment], Rate]) -> Estimate:
    """Return an accuracy over the seeds of a method."""
    return share([rate(run.assessment) for run in runs])


def effect_of(runs: Sequence[OutcomeLike]) -> Estimate:
    """Return Δp over the seeds of a method."""
    effects = [run.assessment.effect for run in runs]
    intervals = [one.probability_interval for one in effects]
    return estimate([one.probability for one in effects], intervals, min(one.n for one in effects), (-1, 1))


def _summary(
    method: str, runs: Sequence[OutcomeLike], before: Sequence[OutcomeLike] | None, base: Estimate | None
) -> Summary:
    repaired, effect = method != BEFORE, effect_of(runs)
    group = _worst(runs)
    return Summary(
        method=method,
        name=name_of(method),
        seeds=len(runs),
        clean=rate_of(runs, lambda one: one.clean),
        added=rate_of(runs, lambda one: one.added),
        removed=_removed(runs),
        worst=rate_of(runs, lambda one: one.groups[group]),
        group=group,
        effect=effect,
        reduced=_reduced(effect, base) if repaired and base else None,
        relevance=_relevance(runs),
        area=_area(runs),
        kept=_kept(runs, before) if repaired and before else None,
        seconds=fmean(run.seconds for run in runs),
        notes=tuple(dict.fromkeys(run.note for run in runs if run.note)),
        assessment=runs[0].assessment,
    )


def _removed(runs: Sequence[OutcomeLike]) -> Estimate | None:
    rates = [run.assessment.removed for run in runs]
    known = [rate for rate in rates if rate is not None and rate.n]
    if len(known) < len(rates):
        return None
    return share(known)


def _relevance(runs: Sequence[OutcomeLike]) -> Estimate | None:
    portions = [run.assessment.relevance for run in runs]
    known = [portion for portion in portions if portion is not None]
    if len(known) < len(portions):
        return None
    n = min(one.n for one in known)
    return estimate([one.mean for one in known], [one.interval for one in known], n, (0, 1))


def _area(runs: Sequence[OutcomeLike]) -> Estimate | None:
    areas = [run.assessment.area for run in runs]
    known = [area for area in areas if area is not None]
    if len(known) < len(areas):
        return None
    n = min(one.positives + one.negatives for one in known)
    return estimate([one.value for one in known], [one.interval for one in known], n, (0, 1))


def _worst(runs: Sequence[OutcomeLike]) -> tuple[str, bool]:
    """The group whose mean accuracy over seeds is the smallest; of several, the first."""
    groups = [group for group, rate in runs[0].assessment.groups.items() if rate.n]
    return min(groups, key=lambda group: fmean(run.assessment.groups[group].share for run in runs))


def _kept(runs: Sequence[OutcomeLike], before: Sequence[OutcomeLike]) -> Estimate | None:
    """The change of clean accuracy, paired by seed; one network from before stands for all seeds."""
    first = {run.seed: run.assessment.clean for run in before}
    if len(before) == 1:
        first = dict.fromkeys((run.seed for run in runs), before[0].assessment.clean)
    pairs = [(run.assessment.clean, first[run.seed]) for run in runs if run.seed in first]
    return difference([one for one, _ in pairs], [other for _, other in pairs]) if pairs else None


def _reduced(effect: Estimate, base: Estimate) -> tuple[float, Interval] | None:
    """By what share |Δp| is smaller; its interval is that of Δp, with Δp from before taken as it was measured."""
    if base.interval[0] <= 0 <= base.interval[1]:
        return None
    low, high = effect.interval
    ends = sorted((abs(low), abs(high)))
    least = 0.0 if low <= 0 <= high else ends[0]
    return 1 - abs(effect.mean) / abs(base.mean), (1 - ends[1] / abs(base.mean), 1 - least / abs(base.mean))
