"""The figure of the ranking."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from unhans.report.figures import ranking_figure, separability_figure
from unhans.report.figures.canvas import ALARM
from unhans.store import write_figure


def widths(axes, which):
    return [bar.get_width() for bar in axes.containers[which]]


def test_bars_are_the_numbers_of_heatmaps_and_control_in_order(suspicion):
    ranking = [suspicion(2, lambda_2=0.01, suspicious=True, tau=4), suspicion(0, lambda_2=0.2, control=None)]
    ranking[0].score, ranking[1].score = 1.7, -0.2
    first, left, right = ranking_figure(ranking).axes
    assert widths(first, 0) == [1.7, -0.2]
    assert widths(left, 0) == [0.01, 0.2]
    assert widths(right, 0) == [4, 1]
    np.testing.assert_array_equal(widths(left, 1), [0.3, np.nan])
    np.testing.assert_array_equal(widths(right, 1), [1.5, np.nan])
    assert [label.get_text() for label in first.get_yticklabels()] == ["class 2", "class 0"]
    assert [to_hex(bar.get_facecolor()) == ALARM for bar in left.containers[0]] == [True, False]


def test_names_stand_beside_negative_bars_not_under_them(suspicion):
    ranking = [suspicion(0), suspicion(1)]
    ranking[0].score, ranking[1].score = 1.7, -0.4
    figure = ranking_figure(ranking)
    figure.draw_without_rendering()
    first, render = figure.axes[0], figure.canvas.get_renderer()
    names = [label.get_window_extent(render) for label in first.get_yticklabels()]
    assert max(name.x1 for name in names) <= first.containers[0][1].get_window_extent(render).x0


@pytest.mark.parametrize(
    ("count", "title"),
    [(0, "None of 3 classes stands out"), (1, "1 of 3 classes stands out"), (2, "2 of 3 classes stand out")],
)
def test_the_title_counts_the_classes_that_stand_out(suspicion, count, title):
    ranking = [suspicion(i, suspicious=i < count) for i in range(3)]
    assert ranking_figure(ranking, "epoch 1").texts[0].get_text() == title


@pytest.mark.parametrize("count", [1, 2, 10, 40, 100])
def test_any_number_of_classes_fits(suspicion, count, tmp_path):
    ranking = [suspicion(i, f"$name_{i} " * 5, lambda_2=0.01 * (i + 1)) for i in range(count)]
    figure = ranking_figure(ranking)
    write_figure(tmp_path / "a.png", figure)
    assert (tmp_path / "a.png").stat().st_size < 300_000
    assert len(figure.axes[0].containers[0]) == min(count, 40)
    summary = [text.get_text() for text in figure.texts if "further classes" in text.get_text()]
    assert summary == (["and 60 further classes: λ₂ 0.410 to 1.000, τ 1.00 to 1.00"] if count == 100 else [])
    box = figure.axes[0].get_tightbbox(figure.canvas.get_renderer())
    assert box.x0 > 0  # the names fit


def test_no_class_is_refused():
    with pytest.raises(ValueError, match="at least one class"):
        ranking_figure([])


@pytest.mark.parametrize("count", [1, 5, 300])
def test_the_most_and_the_least_separable_classes_stand_beside_the_distribution(suspicion, count):
    ranking = [suspicion(i, tau=float(0.5 + (7 * i) % count)) for i in range(count)]
    ranking[0].suspicious = True
    figure = separability_figure(ranking)
    left, right = figure.axes
    assert sum(bar.get_height() for bar in left.patches) == count
    told = [text.get_text() for text in right.texts]
    shown = min(7, max(1, count // 2))
    high, low = told[1 : 1 + shown], told[2 + shown :]
    values = sorted((entry.tau for entry in ranking), reverse=True)
    assert (told[0], told[1 + shown]) == ("most separable", "least separable")
    assert [float(text.split()[0]) for text in high] == values[:shown]
    assert [float(text.split()[0]) for text in low] == values[::-1][:shown]
    assert "τ is averaged over clusterings into at most 8 clusters." in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("values", [[4e15, 4e15 + 1, 4e15], [2.0, 2.0, 2.0], [1.0, 3.0, float("inf")]])
def test_separabilities_that_are_equal_or_without_bound_are_drawn(suspicion, values):
    figure = separability_figure([suspicion(i, tau=tau) for i, tau in enumerate(values)])
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == np.isfinite(values).sum()
    figure.canvas.draw()
