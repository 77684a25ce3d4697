"""A comparison of models as tables: for the terminal, for files and for loggers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from unhans.comparison import ModelComparison, PairDisagreement, Reasons, disagreements, drop, quotient, resampled
from unhans.report.tables.terminal_table import Row, Rows, terminal_table, two_lines
from unhans.report.text import percent, range_written, signed
from unhans.report.text.models import MEASURE_NAMES, REASONS_NAMES, is_twins, kind_reasons
from unhans.stats import Estimate, Rate

EVERY = "all"  # in place of a class
MOST_LISTED = 200  # images of each pair in the list of disagreements


def models_table(found: ModelComparison) -> Table:
    """Return a row per model: its accuracy on the images, and in what its training differs from the others'."""
    table = terminal_table("Models", ["model", "differs in"], ["accuracy"])
    for name in found.models:
        accuracy = found.accuracies[name]
        settings = "\n".join(f"{key}={value}" for key, value in found.settings[name].items())
        table.add_row(name, settings, two_lines(percent(accuracy.share), range_written(accuracy.interval)))
    return table


TOLD = ("cosine", "masks", "transfer", "transfer quotient", "influence", "gradient clusters")  # in the terminal


def pairs_table(found: ModelComparison) -> Table:
    """Return a row per pair of models and measure: how far they disagree, and in how many classes more than twins."""
    table = terminal_table(
        "Disagreement of two models (0: none, median over the images)",
        ["models", "about"],
        ["disagreement", "95 % interval", "by chance", "classes"],
        "By chance: about two different images of a class. Classes: so many with other reasons than seed twins have. "
        "Of gradient clusters one minus the adjusted Rand index takes the place of the median.",
    )
    for pair, predicted in found.predictions.items():
        name = " – ".join(pair) + (" (twins)" if pair in found.twins else "")
        low, high = predicted.interval
        rows = [("predictions", f"{1 - predicted.agreement:.3f}", f"{1 - high:.3f}, {1 - low:.3f}", "", "")]
        own = [one for one in found.pairs if (one.first, one.second) == pair]
        for one in own:
            if one.label is None and one.measure in TOLD:
                interval = "{:.3f}, {:.3f}".format(*one.found.interval)
                chance = "" if np.isnan(one.chance) else f"{one.chance:.3f}"
                rows.append((one.measure, f"{one.found.median:.3f}", interval, chance, _classes_said(own, one.measure)))
        for row in rows:
            table.add_row(name, *row)
            name = ""
    return table


def _classes_said(own: Sequence[PairDisagreement], measure: str) -> str:
    judged = [one.found.reasons for one in own if one.measure == measure and one.label is not None]
    known = [each for each in judged if each in (Reasons.DIFFERENT, Reasons.WITHIN_TWINS, Reasons.UNSURE)]
    return f"{known.count(Reasons.DIFFERENT)} of {len(known)}" if known else "–"


def kinds_table(found: ModelComparison) -> Table:
    """Return a row per two kinds of training and class: how much of their difference is common to the seeds."""
    table = terminal_table(
        "Kinds of training, matched by seed: do they look elsewhere at every seed?",
        ["kinds", "class", "reasons"],
        ["common", "by chance", "n"],
        "Common: share of the difference of the heatmaps that all seeds have in common, median over the images. By "
        "chance: what the differences of twins have in common stays below this in 95 % of cases.",
    )
    before = None
    for one in found.kinds:
        name = f"{', '.join(one.first)} – {', '.join(one.second)}"
        common = two_lines(f"{one.common:.2f}", "[{:.2f}, {:.2f}]".format(*one.interval))
        limit = "–" if np.isnan(one.limit) else f"{one.limit:.2f}"
        table.add_row(
            "" if name == before else name,
            found.names[one.label],
            kind_reasons(one),
            common,
            limit,
            str(one.n),
        )
        before = name
    return table


def kind_rows(found: ModelComparison) -> Rows:
    """Return the same with both ends of the intervals; the limit is empty where fewer than four twins leave none."""
    columns = ("first", "second", "seeds", "class", "n", "common", "low", "high", "chance_limit", "reasons")
    rows = [
        (" ".join(one.first), " ".join(one.second), len(one.first), found.names[one.label], one.n, one.common,
         *one.interval, _number(one.limit), kind_reasons(one))
        for one in found.kinds
    ]  # fmt: skip
    return Rows(columns, rows)


def effects_table(found: ModelComparison) -> Table:
    """Return a row per artifact and model: what the artifact does there."""
    table = terminal_table("The same artifact in every model", ["artifact", "class", "model", "verdict"], ["Δp", "n"])
    for one in found.effects:
        value = two_lines(signed(one.probability, 3), "[{:+.3f}, {:+.3f}]".format(*one.interval))
        table.add_row(one.artifact, found.names[one.label], one.model, one.verdict, value, str(one.n))
    return table


def comparison_tables(found: ModelComparison) -> dict[str, Rows]:
    """Return all tables by the name of their file."""
    tables = {
        "models": _models(found),
        "predictions": _predictions(found),
        "agreement": _agreement(found),
        "disagreements": disagreement_rows(found),
    }
    if found.effects:
        tables |= {"effects": _effects(found), "effect_differences": _differences(found)}
    if found.kinds:
        tables["kinds"] = kind_rows(found)
    if found.detection:
        tables["detection"] = _detection(found)
    if found.views[found.models[0]].through is not None:
        tables["transfer"] = _transfer(found)
    return tables


def _models(found: ModelComparison) -> Rows:
    keys = list(dict.fromkeys(key for each in found.settings.values() for key in each))
    rows = [
        (name, one.share, *one.interval, one.n, *(found.settings[name].get(key) for key in keys))
        for name, one in found.accuracies.items()
    ]
    return Rows(("model", "accuracy", "low", "high", "n", *keys), rows)


def _predictions(found: ModelComparison) -> Rows:
    columns = (
        "first", "second", "twins", "n", "alike", "alike_low", "alike_high", "accuracy_difference", "difference_low",
        "difference_high", "only_first_right", "only_second_right", "mcnemar_p",
    )  # fmt: skip
    rows = [
        (*pair, pair in found.twins, one.n, one.agreement, *one.interval, one.difference, *one.difference_interval,
         one.only_first, one.only_second, one.p)
        for pair, one in found.predictions.items()
    ]  # fmt: skip
    return Rows(columns, rows)


def _agreement(found: ModelComparison) -> Rows:
    columns = (
        "first", "second", "twins", "measure", "class", "n", "disagreement", "low", "high", "twins_limit",
        "beyond", "chance", "reasons",
    )  # fmt: skip
    rows = [
        (one.first, one.second, is_twins(found, one), one.measure, _class(found, one.label), one.found.n,
         one.found.median, *one.found.interval, _number(one.found.limit), _number(one.found.beyond),
         _number(one.chance), REASONS_NAMES[one.found.reasons])
        for one in found.pairs
    ]  # fmt: skip
    return Rows(columns, rows)


def disagreement_rows(found: ModelComparison, most: int = MOST_LISTED) -> Rows:
    """Return the images about which each pair of models disagrees most by the cosine, most first."""
    columns = (
        "path",
        "class",
        "carries",
        "first",
        "second",
        "first_predicts",
        "second_predicts",
        "rank",
        *MEASURE_NAMES,
    )
    return Rows(columns, [row for pair in found.predictions for row in _listed(found, *pair, most)])


def _listed(found: ModelComparison, first: str, second: str, most: int) -> Iterator[Row]:
    values = disagreements(found.views, first, second)
    order = np.argsort(np.nan_to_num(-values["cosine"], nan=np.inf), kind="stable")[:most]
    predicted = [found.views[name].predicted for name in (first, second)]
    for rank, row in enumerate(order, 1):
        yield (
            found.paths[row],
            found.names[found.labels[row]],
            None if found.carriers is None else bool(found.carriers[row]),
            first,
            second,
            *(found.names[each[row]] for each in predicted),
            rank,
            *(_number(values[name][row]) if name in values else None for name in MEASURE_NAMES),
        )


def _effects(found: ModelComparison) -> Rows:
    rows = [
        (
            one.artifact,
            found.names[one.label],
            one.model,
            one.verdict,
            one.probability,
            *one.interval,
            one.n,
            one.q_value,
        )
        for one in found.effects
    ]
    return Rows(("artifact", "class", "model", "verdict", "delta_p", "low", "high", "n", "q"), rows)


def _differences(found: ModelComparison) -> Rows:
    rows = [
        (one.artifact, found.names[one.label], one.first, one.second, one.difference, *one.interval, one.n)
        for one in found.differences
    ]
    return Rows(("artifact", "class", "first", "second", "difference", "low", "high", "n"), rows)


def _detection(found: ModelComparison) -> Rows:
    rows = [
        (*pair, measure, area.value, *area.interval)
        for pair, areas in found.detection.items()
        for measure, area in areas.items()
    ]
    return Rows(("first", "second", "measure", "area", "low", "high"), rows)


def _transfer(found: ModelComparison) -> Rows:
    columns = (
        "model", "masks_of", "class", "n", "drop", "drop_low", "drop_high", "quotient", "quotient_low", "quotient_high"
    )  # fmt: skip
    rows = []
    for model in found.models:
        for giver in found.models:
            drops, quotients = drop(found.views, model, giver), quotient(found.views, model, giver)
            for label in (None, *np.unique(found.labels).tolist()):
                own = [each[found.rows_of(label)] for each in (drops, quotients)]
                n = int((~np.isnan(own[0])).sum())
                if n:
                    told = [value for each in own for value in _with_interval(each)]
                    rows.append((model, giver, _class(found, label), n, *told))
    return Rows(columns, rows)


def _with_interval(values: NDArray[np.floating]) -> tuple[float | None, ...]:
    """The median and its 95 % interval."""
    seen = values[~np.isnan(values)]
    if not len(seen):
        return None, None, None
    median, interval = resampled(seen)
    return median, *interval


def _class(found: ModelComparison, label: int | None) -> str:
    return EVERY if label is None else found.names[label]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def comparison_scalars(found: ModelComparison) -> dict[str, float]:
    """Return the numbers for a logger and for a sweep."""
    numbers = {f"compare/accuracy/{name}": one.share for name, one in found.accuracies.items()}
    for one in found.pairs:
        if one.label is None:
            numbers[f"compare/{one.measure.replace(' ', '_')}/{one.first} – {one.second}"] = one.found.median
    for one in found.effects:
        numbers[f"compare/delta_p/{one.artifact}/{one.model}"] = one.probability
    return numbers


def complexity_rows(measured: Mapping[tuple[str, str], tuple[Rate, Mapping[str, Estimate]]]) -> Rows:
    """Return a row for every model and class: its accuracy, and how complex the maps are, with 95 % intervals.

    Args:
        measured: by model and class.
    """
    rows = [
        (
            model,
            name,
            rate.n,
            rate.share,
            *rate.interval,
            *chain(*((one.mean, *one.interval) for one in means.values())),
        )
        for (model, name), (rate, means) in measured.items()
    ]
    measures = next(iter(measured.values()))[1] if measured else {}
    ends = [f"{name}{end}" for name in ("accuracy", *measures) for end in ("", "_low", "_high")]
    return Rows(("model", "class", "n", *ends), [tuple(map(_known, row)) for row in rows])


def _known(value: float | str) -> float | str | None:
    """The value, None in the place of one that is not finite."""
    return value if isinstance(value, str) or math.isfinite(value) else None
