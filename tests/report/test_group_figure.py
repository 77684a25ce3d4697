"""Accuracy by class and group: which group is worst, which rows are drawn, and what is said of the others."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex

from unhans.report.figures import ALARM
from unhans.report.figures.quality import group_figure, worst_groups
from unhans.stats import GroupCount

CLASSES = ["$cat", "dog"]
COUNTS = [
    GroupCount("", None, 5, 0),
    GroupCount("north", None, 60, 30),
    GroupCount("south", None, 60, 54),
    GroupCount("north", 0, 30, 29),
    GroupCount("south", 0, 30, 28),
    GroupCount("west", 0, 4, 0),
    GroupCount("north", 1, 30, 2),
    GroupCount("south", 1, 30, 26),
]


def texts(figure):
    return " ".join(" ".join(text.get_text() for text in one.texts) for one in (figure, *figure.subfigs))


def test_the_worst_group_is_red_and_a_small_or_unknown_one_never_is():
    assert worst_groups(COUNTS) == [COUNTS[1], COUNTS[6]]
    figure = group_figure(COUNTS, CLASSES, "hospital")
    (axes,) = figure.subfigs[0].axes
    labels = axes.get_yticklabels()
    red = [label.get_text().strip() for label in labels if to_hex(label.get_color()) == ALARM]
    assert red == ["north", "dog   north"]
    dots = {
        round(float(line.get_xdata()[0]), 4): to_hex(line.get_color())
        for line in axes.lines
        if len(line.get_xdata()) == 1
    }
    assert dots[0.5] == dots[round(2 / 30, 4)] == ALARM
    assert ALARM not in (dots[0.9], dots[0.0])
    assert "Red: the lowest accuracy" in texts(figure)


def test_equal_groups_have_no_worst_one():
    equal = [GroupCount(name, None, 20, 10) for name in "ab"]
    assert worst_groups(equal) == []
    assert "Red" not in texts(group_figure(equal, [], "sex"))


def test_of_many_classes_those_with_the_worst_groups_are_drawn_and_the_others_counted():
    many = [GroupCount(group, label, 20, label % 21) for label in range(50) for group in "ab"]
    figure = group_figure([GroupCount("a", None, 40, 20), *many], [f"class {i}" for i in range(50)], "sex")
    (axes,) = figure.subfigs[0].axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert (len(names), names[1]) == (59, "class 0   a")
    assert "21 more classes are in groups.csv." in texts(figure)
    with pytest.raises(ValueError, match="at least one group"):
        group_figure([], [], "sex")
