"""How a network turns away from an artifact while it is trained: relevance inside the mask, and accuracy, by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unhans.artifacts.estimate import estimate
from unhans.artifacts.interval import Interval
from unhans.artifacts.seeds import over_seeds
from unhans.report.canvas import QUIET, REST, TEXT, page
from unhans.report.effect_curves import TICKS
from unhans.report.repair_look import dress, heading, pen_of
from unhans.report.repaired import OutcomeLike, by_method, name_of
from unhans.report.sheet import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIELDS = {
    "relevance": "relevance inside the artifact's mask",
    "clean": "accuracy, unaltered images",
    "added": "accuracy, artifact added to all",
}
WIDTH, PANEL, FOOT = 10.0, 2.5, 0.9  # inches
LINE = 138  # characters of the note in a line
KEY = 0.22  # inches of a line of the key


class Curve(NamedTuple):
    """A number after every epoch: means over seeds, with intervals or without."""

    method: str
    epochs: list[int]
    means: list[float]
    intervals: list[Interval | None]
    seeds: int


def relevance_figure(outcomes: Iterable[OutcomeLike], subtitle: str = "") -> Figure:
    """Draw the share of relevance inside the artifact's mask over the epochs of every method that trains.

    Beside it accuracies, where they were measured. Bands are 95 % intervals over seeds and, where the points have a
    `relevance_interval`, over samples.

    Raises:
        ValueError: no outcome has a point with relevance.
    """
    methods = by_method(outcomes)
    found = {field: curves for field in FIELDS if (curves := curves_of(methods, field))}
    if "relevance" not in found:
        raise ValueError("A figure of relevance needs an outcome whose epochs have it; got none.")
    names = [curve.method for curve in found["relevance"]]
    head = 1.1 + KEY * len(names)
    height = head + PANEL + FOOT
    figure = page(WIDTH, height)
    heading(figure, "What the network looks at while it is trained", subtitle)
    for number, method in enumerate(names):
        _key(figure, method, 1 - (0.8 + KEY * number) / height)
    lefts, wide = (0.06, 0.40, 0.73), 0.26
    if len(found) == 1:
        lefts, wide = (0.06,), 0.6
    for left, (field, curves) in zip(lefts, found.items(), strict=False):
        axes = figure.add_axes((left, FOOT / height, wide, PANEL / height))
        for curve in curves:
            _curve(axes, curve)
        _scales(axes, field, curves)
    note = wrapped(curves_basis(found["relevance"]), LINE)
    figure.text(0.02, 0.12 / height, note, va="bottom", **(TEXT | {"color": QUIET}))
    return figure


def curves_of(methods: Mapping[str, Sequence[OutcomeLike]], field: str) -> list[Curve]:
    """Return a field of `Point` over the epochs that all seeds of a method measured it at, for methods that did."""
    found = (_curve_of(method, runs, field) for method, runs in methods.items())
    return [curve for curve in found if curve.epochs]


def curves_basis(curves: Sequence[Curve]) -> str:
    """Say what curves are of and what their bands are."""
    seeds = max(curve.seeds for curve in curves)
    start = (
        "Share of the positive relevance for the artifact's class, on fixed samples that carry the artifact; epoch 0 "
    )
    if seeds > 1:
        return f"{start}is before training. Means over {seeds} seeds, bands: 95 % intervals over seeds and samples."
    if any(interval for curve in curves for interval in curve.intervals):
        return f"{start}is before training. One seed, bands: 95 % intervals over the samples."
    return f"{start}is before training. One seed: nothing is known about the spread."


def _curve_of(method: str, runs: Sequence[OutcomeLike], field: str) -> Curve:
    values = [{point.epoch: point for point in run.curve if getattr(point, field) is not None} for run in runs]
    epochs = sorted(set.intersection(*(set(each) for each in values)))
    rows = [[getattr(each[epoch], field) for each in values] for epoch in epochs]
    bands = [_band([each[epoch] for each in values], field) for epoch in epochs]
    return Curve(method, epochs, [float(np.mean(row)) for row in rows], bands, len(runs))


def _band(points: Sequence[Any], field: str) -> Interval | None:
    """The interval over seeds and samples; over seeds alone where that over samples is not known."""
    values, own = (
        [getattr(point, field) for point in points],
        [getattr(one, f"{field}_interval", None) for one in points],
    )
    if all(own):
        return estimate(values, own, 0, (0, 1)).interval
    return over_seeds(values, (0, 1))[1] if len(values) > 1 else None


def _curve(axes: Axes, curve: Curve) -> None:
    pen = pen_of(curve.method)
    if all(curve.intervals):
        low, high = np.array(curve.intervals).T
        axes.fill_between(curve.epochs, low, high, alpha=0.16, lw=0, color=pen.colour)
    axes.plot(curve.epochs, curve.means, marker=pen.mark, ms=4, lw=1.6, ls=pen.dashes, color=pen.colour)


def _scales(axes: Axes, field: str, curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    epochs = sorted({epoch for curve in curves for epoch in curve.epochs})
    axes.set_title(FIELDS[field], loc="left", **(TEXT | {"fontsize": 9}))
    axes.set_xlabel("epoch", **(TEXT | {"color": QUIET}))
    few = FixedLocator(epochs) if len(epochs) <= TICKS else MaxNLocator(integer=True, nbins=TICKS)
    axes.xaxis.set_major_locator(few)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    bottom, top = axes.get_ylim()
    most = 1 + 0.02 * (1 - bottom)  # room for a mark at 100 %
    axes.set_ylim(*((0, max(top, 0.1)) if field == "relevance" else (bottom, min(max(top, bottom + 0.05), most))))
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in axes.get_yticks() if tick < 1.001]))  # no share is more
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    dress(axes, grid="y")
    axes.spines["bottom"].set(visible=True, color=REST)


def _key(figure: Figure, method: str, y: float) -> None:
    from matplotlib.lines import Line2D

    pen = pen_of(method)
    line = Line2D([0.02, 0.035, 0.05], [y] * 3, color=pen.colour, lw=2, ls=pen.dashes, marker=pen.mark, ms=5)
    line.set_markevery([1])
    figure.add_artist(line)
    figure.text(0.06, y, name_of(method), va="center", **TEXT)
