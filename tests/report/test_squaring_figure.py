"""Ways to make images square as a table, a CSV, a figure and a sheet."""

from __future__ import annotations

import csv

import matplotlib.text
import numpy as np
import pytest
from rich.console import Console

from unhans.artifacts import WAYS
from unhans.attribution import picture
from unhans.effects.interventions import SquaredLogits, squaring_effect
from unhans.report.figures import Squares, squaring_figure, squaring_sheet
from unhans.report.tables import NAMES, squaring_rows, squaring_table
from unhans.store import write_csv, write_figure

LONG = "an exceptionally & long name {that} goes on and on, further than any page is wide $x$"


def effect(name="cat", portrait=True, n=60):
    random = np.random.default_rng(0)
    logits = np.repeat(random.normal(size=(n, 1, 3)), 6, axis=1) + 0.2 * random.normal(size=(n, 6, 3))
    logits[:, 1:, 0] -= 3
    lying = np.arange(n) % 4 < 2 if portrait else np.zeros(n, dtype=bool)
    return squaring_effect(SquaredLogits(np.arange(n), np.arange(n) % 2, lying, logits), 0, name)


def sample(caption="sample 3 of class dog, landscape", side=8, maps=8):
    random = np.random.default_rng(1)
    return Squares(random.random((6, 3, side, side)), random.normal(size=(6, maps, maps)), np.linspace(0, 1, 6),
                   np.linspace(-1e5, 1e5, 6), caption)  # fmt: skip


def assert_whole(figure, path):
    """Write it, and see that no text leaves the page."""
    write_figure(path, figure)
    assert path.stat().st_size > 5_000
    width, height = figure.canvas.get_width_height()
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent(figure.canvas.get_renderer())
            assert box.x0 >= 0, text
            assert box.y0 >= 0, text
            assert box.x1 <= width, text
            assert box.y1 <= height, text


def dots(axes):
    return [tuple(float(line.get_data()[i][0]) for i in (0, 1)) for line in axes.lines if line.get_marker() == "o"]


def test_every_way_has_a_dot_and_its_interval():
    found = effect()
    figure = squaring_figure(found)
    panels = [(group, measure) for measure in ("probability", "logit") for group in ("class", "others")]
    for axes, (group, measure) in zip(figure.axes, panels, strict=True):
        expected = [
            getattr(found.change(group, each, way).effect, measure)
            for each in ("landscape", "portrait") for way in WAYS[1:]
        ]  # fmt: skip
        assert [x for x, _ in dots(axes)] == pytest.approx(expected)
        ends = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2 and line.get_lw() == 2]
        assert ends[0] == getattr(found.change(group, "landscape", "mirror").effect, f"{measure}_interval")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [NAMES[way] for way in WAYS[1:]]
    assert "(n = 15 + 15)" in figure.axes[0].get_title("left")


def test_panels_side_by_side_have_one_scale():
    figure = squaring_figure(effect())
    for left, right in (figure.axes[:2], figure.axes[2:]):
        assert left.get_xlim() == right.get_xlim()


@pytest.mark.parametrize("name", ["cat", LONG])
@pytest.mark.parametrize("portrait", [True, False])
def test_the_figure_fits_its_page(name, portrait, tmp_path):
    assert_whole(squaring_figure(effect(name, portrait), LONG), tmp_path / "figure.png")


def test_the_sheet_shows_six_squares_and_their_maps(tmp_path):
    one = sample()
    figure = squaring_sheet([one, sample(LONG, 40, 20)], LONG, LONG)
    tiles = [np.asarray(each.get_array()) for each in figure.axes[0].images]
    assert len(tiles) == 2 * 2 * 6
    np.testing.assert_array_equal(tiles[:12:2], [picture(each) for each in one.images])
    said = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    for way in WAYS:
        assert NAMES[way] in said
    assert said.count("p = 0.200") == 2
    assert said.count("logit 1e+05") == 2
    assert_whole(figure, tmp_path / "sheet.png")


def test_a_sheet_of_nothing_is_one_sentence():
    with pytest.raises(ValueError, match="needs at least one sample; got none"):
        squaring_sheet([], "cat")


def test_the_table_has_80_columns_and_the_sentence():
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(squaring_table(effect("[b]cats[/b]")))
    text = capture.get()
    change = effect().change("others", "portrait", "crop").effect
    assert f"{change.probability:+.2f}".replace("-", "−") in text
    assert "[b]cats[/b]" in text
    assert "expects copied borders" in text
    assert text.count("n = 15") == 4
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text.replace(" … ", "")


def test_the_csv_has_every_change_in_full(tmp_path):
    found = effect()
    write_csv(tmp_path / "squaring.csv", *squaring_rows([found, effect("dog", portrait=False)]))
    with (tmp_path / "squaring.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(squaring_rows([]).columns)
    assert len(rows) == 20 + 10
    for row, change in zip(rows, found.changes, strict=False):
        assert (row["group"], row["orientation"], row["way"]) == (change.group, change.orientation, change.way)
        assert float(row["delta_p"]) == change.effect.probability
        assert float(row["delta_logit_high"]) == change.effect.logit_interval[1]
        assert int(row["n"]) == change.effect.n == 15
        assert (row["expected"] == "True") == (change.orientation in found.expected)
