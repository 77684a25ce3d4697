"""Accuracy in groups: counts by hand, Newcombe's interval, and the widest gap among several pairs."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.stats import GroupCount, group_counts, share_difference, widest_gap


def test_groups_are_counted_for_all_classes_and_for_each():
    labels = np.array([0, 0, 0, 1, 1, 1])
    groups = np.array(["f", "f", "m", "m", "m", ""])
    correct = np.array([1, 0, 1, 1, 1, 0], dtype=bool)
    assert group_counts(labels, groups, correct) == [
        GroupCount("", None, 1, 0),
        GroupCount("f", None, 2, 1),
        GroupCount("m", None, 3, 3),
        GroupCount("f", 0, 2, 1),
        GroupCount("m", 0, 1, 1),
        GroupCount("", 1, 1, 0),
        GroupCount("m", 1, 2, 2),
    ]


def test_the_interval_of_a_difference_is_newcombes():
    low, high = share_difference(56, 70, 48, 80)  # Newcombe 1998, table II, example (a), method 10
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_the_interval_of_the_widest_gap_allows_for_having_looked_at_all_pairs():
    counts = [GroupCount(name, None, 100, correct) for name, correct in (("a", 90), ("b", 70), ("c", 80))]
    gap = widest_gap(counts)
    assert (gap.best.group, gap.worst.group, gap.groups) == ("a", "b", 3)
    assert gap.value == pytest.approx(0.2)
    assert gap.interval == share_difference(90, 100, 70, 100, pairs=3)
    one = share_difference(90, 100, 70, 100)
    assert gap.interval[0] < one[0] < one[1] < gap.interval[1]


def test_the_gap_of_equal_groups_is_rarely_shown():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        counts = [GroupCount(str(k), None, 60, int(n)) for k, n in enumerate(rng.binomial(60, 0.8, 6))]
        wrong += widest_gap(counts).interval[0] > 0
    assert wrong / 400 <= 0.05


def test_small_groups_are_not_compared():
    counts = [GroupCount("a", None, 9, 9), GroupCount("b", None, 50, 40)]
    assert widest_gap(counts, fewest=10) is None
    assert widest_gap(counts).best.group == "a"
    equal = [GroupCount("a", None, 50, 40), GroupCount("b", None, 50, 40)]
    assert widest_gap(equal).value == 0
    assert widest_gap(equal).best.group != widest_gap(equal).worst.group
