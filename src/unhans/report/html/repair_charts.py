"""The charts of a comparison of repairs: what each costs against what it achieves, and relevance by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from unhans.repair import BEFORE, METHOD_NAMES, OutcomeLike, Summary, by_method, name_of
from unhans.report.figures import FIELDS, Curve, curves_basis, curves_of, pen_of
from unhans.report.html.chart import Frame, Scale, band, key_mark, line, mark, point
from unhans.report.text import percent, signed

LARGE, SMALL = Frame(600, 360), Frame(360, 250)


def key(methods: Iterable[str]) -> str:
    """Return the names of methods beside their marks."""
    entries = (f'<li class="{kind(one)}">{key_mark(pen_of(one).mark)}{escape(name_of(one))}</li>' for one in methods)
    return f'<ul class="methods">{"".join(entries)}</ul>'


def kind(method: str) -> str:
    """Return the class that gives a method its colour."""
    return f"method {method if method in METHOD_NAMES else 'other'}"


def trade_off_chart(found: Sequence[Summary]) -> str:
    """Return what is left of Δp across and accuracy on unaltered images upwards, a mark with intervals per method."""
    effects = [end for one in found for end in (*one.effect.interval, 0.0)]
    cleans = [end for one in found for end in one.clean.interval]
    across = LARGE.across(effects, "effect that is left, Δp (0 is best)", _plain, 0.1)
    up = LARGE.up(cleans, "accuracy, unaltered images", _share, 0.04)
    parts = [line([point(across, up, 0, up.low), point(across, up, 0, up.high)], "zero")]
    for one in found:
        if one.method == BEFORE:
            parts.append(line([point(across, up, x, one.clean.mean) for x in (across.low, across.high)], "before"))
    marks = "".join(_cross(across, up, one) for one in found)
    words = "Accuracy on unaltered images against the effect that is left"
    return LARGE.draw(across, up, "".join(parts) + marks, words)


def curve_charts(outcomes: Iterable[OutcomeLike]) -> str:
    """Return a chart by epoch for each number that the trainings measured; "" where none has relevance."""
    methods = by_method(outcomes)
    found = {field: curves for field in FIELDS if (curves := curves_of(methods, field))}
    if "relevance" not in found:
        return ""
    charts = "".join(
        f"<figure>{_curves(curves, field)}<figcaption>{escape(FIELDS[field][0].upper() + FIELDS[field][1:])}"
        "</figcaption></figure>"
        for field, curves in found.items()
    )
    note = f'<p class="quiet small">{escape(curves_basis(found["relevance"]))}</p>'
    return f'{key(curve.method for curve in found["relevance"])}<div class="charts three">{charts}</div>{note}'


def _cross(across: Scale, up: Scale, one: Summary) -> str:
    x, y = one.effect, one.clean
    words = f"{one.name}: Δp {signed(x.mean, 3)}, accuracy {percent(y.mean)}"
    parts = (
        line([point(across, up, end, y.mean) for end in x.interval], "span"),
        line([point(across, up, x.mean, end) for end in y.interval], "span"),
        mark(pen_of(one.method).mark, point(across, up, x.mean, y.mean), words),
    )
    return f'<g class="{kind(one.method)}">{"".join(parts)}</g>'


def _curves(curves: Sequence[Curve], field: str) -> str:
    epochs = [float(epoch) for curve in curves for epoch in curve.epochs]
    values = [end for curve in curves for at in (curve.means, *filter(None, curve.intervals)) for end in at]
    across = SMALL.across(epochs, "epoch", _plain, 1)
    up = SMALL.up([*values, 0.0] if field == "relevance" else values, "", _share, 0.05)
    drawn = "".join(_curve(across, up, curve) for curve in curves)
    return SMALL.draw(across, up, drawn, f"{FIELDS[field]} by epoch")


def _curve(across: Scale, up: Scale, curve: Curve) -> str:
    ends = [interval for interval in curve.intervals if interval]
    at = [point(across, up, *pair) for pair in zip(curve.epochs, curve.means, strict=True)]
    area = ""
    if len(ends) == len(curve.epochs):
        lower, upper = (
            [point(across, up, epoch, end[side]) for epoch, end in zip(curve.epochs, ends, strict=True)]
            for side in (0, 1)
        )
        area = band(lower, upper)
    name = name_of(curve.method)
    marks = "".join(
        mark(pen_of(curve.method).mark, spot, f"{name}, epoch {epoch}: {percent(mean)}")
        for spot, epoch, mean in zip(at, curve.epochs, curve.means, strict=True)
    )
    return f'<g class="{kind(curve.method)} small-marks">{area}{line(at, "curve")}{marks}</g>'


def _plain(value: float) -> str:
    return f"{value:.3g}".replace("-", "−") if abs(value) > 1e-9 else "0"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"
