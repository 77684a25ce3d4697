"""When a Rashomon set is complete."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.comparison import ProvenReason, judge_round
from unhans.report.tables.models import rashomon_rows

WEAK, STRONG = ProvenReason("cat", 0.2, (0.1, 0.3)), ProvenReason("dog", 0.6, (0.5, 0.7))
LABELS = np.arange(200) % 2
FIRST = np.where(np.arange(200) < 190, LABELS, 1 - LABELS)  # 95 % right


def judged(wrong, proven=(WEAK, STRONG), number=1, taken="dog"):
    predicted = np.where(np.arange(200) < 200 - wrong, LABELS, 1 - LABELS)
    return judge_round(FIRST, predicted, LABELS, proven, number, rounds=3, tolerance=0.02, taken=taken)


@pytest.mark.parametrize(
    ("wrong", "proven", "number", "stop"),
    [
        (10, (WEAK, STRONG), 0, None),
        (12, (WEAK, STRONG), 2, None),
        (0, (WEAK,), 2, None),
        (12, (), 2, "nothing proven"),
        (12, (WEAK,), 3, "rounds done"),
        (80, (WEAK,), 1, "outside the tolerance"),
        (80, (), 3, "outside the tolerance"),
    ],
)
def test_why_it_ends(wrong, proven, number, stop):
    assert judged(wrong, proven, number).stop == stop


def test_what_cannot_be_taken_away_ends_it_and_a_weaker_reason_is_told_as_taken():
    assert judged(10, taken=None).stop == "cannot be taken away"
    weaker = judged(10, taken="cat")
    assert (weaker.stop, weaker.taken) == (None, "cat")
    rows = [dict(zip(rashomon_rows([weaker]).columns, row, strict=True)) for row in rashomon_rows([weaker]).rows]
    assert [(row["proven"], row["taken_away"]) for row in rows] == [("dog", False), ("cat", True)]


def test_the_difference_is_paired_and_the_strongest_reason_comes_first():
    found = judged(30)
    assert found.accuracy.share == 0.85
    assert found.difference == pytest.approx(-0.1)
    assert found.interval[0] < -0.1 < found.interval[1] < 0
    assert [one.name for one in found.proven] == ["dog", "cat"]


def test_a_row_for_every_reason():
    table = rashomon_rows([judged(10), judged(12, (), 2)])
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["model"], row["proven"], row["taken_away"]) for row in rows] == [
        (1, "dog", True), (1, "cat", False), (2, None, False),
    ]  # fmt: skip
