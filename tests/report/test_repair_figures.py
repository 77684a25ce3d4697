"""The figures of a comparison of repairs: what is drawn is what was measured, and all of it can be read."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from repair_outcomes import assessment_of, outcome_of, outcomes_of
from scipy.stats import t as student

from unhans.repair import summaries
from unhans.report.figures import curves_of, parallel_figure, relevance_figure, repair_figure, trade_off_figure
from unhans.report.figures.repair_figure import PANELS

LONG = "a very long $name$ of an artifact, " * 3


def texts(figure):
    """Return all that is written, tick labels included."""
    inside = [text for axes in figure.axes for text in (*axes.texts, axes.title, axes._left_title, axes.xaxis.label)]
    ticks = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in named(axis)]
    return [text for text in [*figure.texts, *inside, *ticks] if text.get_text() and text.get_visible()]


def named(axis):
    """Return the tick labels that are drawn: those between the ends of the axis."""
    low, high = sorted(axis.get_view_interval())
    pairs = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)  # a shared axis shows its labels once
    return [label for place, label in pairs if low <= place <= high]


def assert_legible(figure):
    """Assert that all text lies on the page and no two headings, notes or names lie on each other."""
    figure.draw_without_rendering()
    render = figure.canvas.get_renderer()
    boxes = {text: text.get_window_extent(render) for text in texts(figure)}
    page = figure.bbox
    for text, box in boxes.items():
        assert min(box.x0, box.y0, page.width - box.x1, page.height - box.y1) >= 0, text.get_text()
        assert text.get_fontsize() >= 7
    panels = [axes.get_window_extent(render) for axes in figure.axes]
    for text in figure.texts:
        assert not any(boxes[text].overlaps(panel) for panel in panels), text.get_text()
        for other in figure.texts:
            assert other is text or not boxes[text].overlaps(boxes[other]), (text.get_text(), other.get_text())


def written(figure):
    return " ".join(" ".join(text.get_text() for text in texts(figure)).split())


def lines(axes):
    """Return the dots: ends of each interval and the value, method by method."""
    marks = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    return [float(line.get_xdata()[0]) for line in marks]


@pytest.mark.parametrize(("seeds", "methods"), [(3, None), (1, None), (1, ("p_clarc",))])
def test_all_figures_can_be_read(seeds, methods):
    outcomes = outcomes_of(seeds=seeds) if methods is None else outcomes_of(methods, seeds)
    assert_legible(repair_figure(outcomes, LONG))
    assert_legible(trade_off_figure(outcomes, LONG))
    if methods is None:
        assert_legible(relevance_figure(outcomes, LONG))


def test_dots_are_the_means_over_seeds():
    outcomes = outcomes_of(seeds=3)
    figure, found = repair_figure(outcomes), summaries(outcomes)
    assert len(figure.axes) == len(PANELS)
    for axes, panel in zip(figure.axes, PANELS, strict=True):
        assert lines(axes) == pytest.approx([getattr(one, panel.field).mean for one in found])
        low, high = axes.get_xlim()
        ends = [end for one in found for end in getattr(one, panel.field).interval]
        assert low <= min(ends)
        assert max(ends) <= high
        (before,) = (line for line in axes.lines if line.get_linestyle() == "--")
        assert before.get_xdata()[0] == pytest.approx(getattr(found[0], panel.field).mean)
    assert "+0.004" in written(figure).replace("+0.005", "+0.004")


def test_what_was_not_measured_has_no_panel_and_no_dot():
    bare = replace(assessment_of("p_clarc"), removed=None, relevance=None)
    only = repair_figure([outcome_of("p_clarc", assessment=bare)])
    assert len(only.axes) == len(PANELS) - 2
    mixed = repair_figure([outcome_of("uncorrected"), outcome_of("p_clarc", assessment=bare)])
    assert len(mixed.axes) == len(PANELS)
    assert len(lines(mixed.axes[2])) == 1


def test_the_trade_off_has_a_mark_per_method_at_its_numbers():
    outcomes = outcomes_of(seeds=3)
    axes = trade_off_figure(outcomes).axes[0]
    marks = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    for line, one in zip(marks, summaries(outcomes), strict=True):
        assert (line.get_xdata()[0], line.get_ydata()[0]) == pytest.approx((one.effect.mean, one.clean.mean))
    assert np.diff(axes.get_ylim())[0] >= 0.039  # a point is never drawn like a fall


# Curves --------------------------------------------------------------------------------------------------------------


def test_curves_are_means_over_seeds_with_students_bands():
    outcomes = outcomes_of(("augmented",), seeds=3)
    axes = relevance_figure(outcomes).axes[0]
    rows = np.array([[point.relevance for point in one.curve] for one in outcomes])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), rows.mean(0))
    half = student.ppf(0.975, 2) * rows.std(0, ddof=1) / np.sqrt(3)
    band = axes.collections[0].get_paths()[0].vertices
    for epoch in range(11):
        heights = band[band[:, 0] == epoch, 1]
        assert heights.min() == pytest.approx(max(0, (rows.mean(0) - half)[epoch]))
        assert heights.max() == pytest.approx(min(1, (rows.mean(0) + half)[epoch]))


def test_one_seed_has_the_band_of_its_samples_where_it_is_known():
    plain = outcomes_of(("augmented",), seeds=1)
    figure = relevance_figure(plain)
    assert not figure.axes[0].collections
    assert "One seed: nothing is known about the spread" in written(figure)
    points = tuple(
        SimpleNamespace(**vars(point) | {"relevance_interval": (point.relevance * 0.5, point.relevance * 1.1)})
        for point in plain[0].curve
    )
    figure = relevance_figure([replace(plain[0], curve=points)])
    assert len(figure.axes[0].collections) == 1
    assert "95 % intervals over the samples" in written(figure)


def test_bands_over_seeds_hold_the_samples_where_these_are_known():
    outcomes = outcomes_of(("augmented",), seeds=3)
    rows = np.array([[point.relevance for point in one.curve] for one in outcomes])
    known = [
        replace(one, curve=tuple(replace(point, relevance_interval=(point.relevance - 0.03, 1)) for point in one.curve))
        for one in outcomes
    ]
    (curve,) = curves_of({"augmented": known}, "relevance")
    half = student.ppf(0.975, 2) * rows.std(0, ddof=1) / np.sqrt(3)
    expected = np.maximum(0, rows.mean(0) - np.hypot(half, 0.03))
    np.testing.assert_allclose([low for low, _ in curve.intervals], expected)


def test_only_what_was_measured_is_drawn():
    (one,) = outcomes_of(("augmented",), seeds=1)
    relevance = replace(one, curve=tuple(replace(point, clean=None, added=None) for point in one.curve))
    assert len(relevance_figure([relevance, outcome_of("p_clarc")]).axes) == 1
    with pytest.raises(ValueError, match="needs an outcome whose epochs have it; got none"):
        relevance_figure([outcome_of("p_clarc")])


# Sweeps --------------------------------------------------------------------------------------------------------------

ROWS = [
    {"method": "a_clarc", "layer": "features.3", "lr": 1e-4, "coverage": 0.3, "seed": 0, "delta_p": 0.2},
    {"method": "p_clarc", "layer": "features.5", "lr": 1e-3, "coverage": 1.0, "seed": 1, "delta_p": 0.01},
    {"method": "augmented", "layer": None, "lr": 1e-2, "coverage": 0.6, "seed": 1, "delta_p": None},
]
COLUMNS = ["method", "layer", "lr", "coverage", "seed"]


def heights(figure, color=None):
    return [np.asarray(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_xdata()) > 2]


def test_every_run_is_a_line_from_its_settings_to_its_objective():
    figure = parallel_figure(ROWS, COLUMNS, "delta_p", minimize=True)
    found = heights(figure)
    assert len(found) == 3
    failed, worse, best = found  # the best lies on top
    assert (best[-1], worse[-1], failed[-1]) == pytest.approx((0.12, 1.0, 0.0))
    rates = sorted(float(line[2]) for line in found)
    assert rates == pytest.approx([0.0, 0.5, 1.0], abs=0.02)  # logarithmic
    words = written(figure)
    assert "3 runs, 1 of them without a result (dotted); the darker a line, the smaller delta_p" in words
    assert "Best: delta_p 0.01 with method p_clarc, layer features.5, lr 0.001, coverage 1, seed 1" in words
    assert_on_page(figure)


def test_the_best_run_is_the_largest_unless_small_is_good():
    figure = parallel_figure(ROWS, COLUMNS, "delta_p")
    assert "Best: delta_p 0.2 with method a_clarc" in written(figure)
    thick = [line.get_linewidth() for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    assert thick.index(max(thick)) == 2


def assert_on_page(figure):
    figure.draw_without_rendering()
    render = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(render) for text in [*figure.texts, *figure.axes[0].texts]]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0 for box in boxes)


def test_many_values_and_long_names_stay_on_the_page():
    rows = [{"layer": f"{LONG}{i}", "same": 1, "flag": i % 2 == 0, "goal": float(i)} for i in range(60)]
    figure = parallel_figure(rows, ["layer", "same", "flag", "goal"], "goal", title=LONG[:60])
    assert len(heights(figure)) == 60
    assert_on_page(figure)
    assert len(figure.axes[0].texts) < 40


@pytest.mark.parametrize("rows", [[], [{"goal": None}], [{"goal": float("nan")}], [{"goal": "x"}, {}]])
def test_a_sweep_without_a_result_is_refused(rows):
    with pytest.raises(ValueError, match=f"needs a run with a finite 'goal'; got {len(rows)} runs"):
        parallel_figure(rows, ["lr"], "goal")
