"""Trainings with a decoy: who counts, how seeds are joined, and the smallest proven coverage."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from unhans.comparison import (
    AS_TRAINED,
    ELSEWHERE,
    EVERYWHERE,
    OTHER,
    UNREAD,
    DecoyAnswers,
    DecoyTraining,
    smallest_proven,
    study_decoys,
)
from unhans.effects import Verdict
from unhans.report.tables.models import coverage_printed
from unhans.report.text.models import decoy_headline, decoy_sentences
from unhans.stats import Rate, mean_of_shares, wilson

NAMES = ["cat", "dog", "owl"]
LABELS = np.repeat([0, 1, 2], 4)
CLEAN = np.array([0, 0, 1, 0, 1, 1, 1, 2, 2, 2, OTHER, 2])
DECOYED = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0, 2, 2, UNREAD])


def training(name="a", coverage=0.5, verdict="proven", clean=CLEAN, decoyed=DECOYED, curve="mark"):
    answers = DecoyAnswers(
        clean, decoyed, {"noise": Rate(3, 10)}, {"noise": Rate(1, 10)}, 0.3, (0.2, 0.4), 8, Verdict(verdict)
    )
    return DecoyTraining(name, curve, coverage, np.arange(12) < 2, answers)


def study(*groups):
    return study_decoys(groups, "cat", NAMES, LABELS)


def test_images_that_a_training_could_not_read_count_nowhere():
    (one,) = study([training()]).groups
    assert {name: each.n for name, each in one.clean.items()} == {"cat": 4, "dog": 4, "owl": 3, ELSEWHERE: 7}
    assert [one.clean[name].mean for name in NAMES] == pytest.approx([3 / 4, 3 / 4, 2 / 3])
    assert [one.decoyed[name].mean for name in NAMES] == pytest.approx([1, 2 / 4, 2 / 3])
    assert [one.called[name].mean for name in NAMES] == pytest.approx([1, 2 / 4, 1 / 3])
    assert one.called[ELSEWHERE].mean == pytest.approx((2 / 4 + 1 / 3) / 2), "every class counts the same"
    assert one.called["dog"].interval == pytest.approx(wilson(2, 4))
    assert one.alone["noise"].interval == pytest.approx(wilson(3, 10))
    with pytest.raises(ValueError, match="got none of 'owl'"):
        study([training(clean=np.where(LABELS == 2, UNREAD, CLEAN))])


def test_confusions_are_of_images_as_trained_and_all_with_the_decoy():
    (one,) = study([training(), training("b")]).groups
    assert one.confusion[AS_TRAINED].tolist() == [[6, 2, 0, 0], [0, 6, 2, 0], [0, 0, 4, 2]], (
        "the last one is of no class"
    )
    assert one.confusion[EVERYWHERE].tolist() == [[8, 0, 0, 0], [4, 4, 0, 0], [2, 0, 4, 0]]


def test_seeds_are_joined_and_told_one_by_one_as_well():
    other = np.where(LABELS == 1, 0, DECOYED)
    found = study([training(), training("b", decoyed=other)])
    (joined,) = found.groups
    assert joined.called["dog"].mean == pytest.approx((0.5 + 1) / 2)
    assert joined.called["dog"].seeds == 2
    assert [one.models for one in found.singles] == [["a"], ["b"]]
    assert [one.called["dog"].mean for one in found.singles] == [0.5, 1]


def test_the_smallest_coverage_is_proven_in_every_run():
    found = study(
        [training("d", 1.0)], [training("a", 0.25), training("b", 0.25, "open")], [training("c", 0.5)],
        [training("e", 0.5, "not used", curve="other")],
    )  # fmt: skip
    assert [group.coverage for group in found.curves["mark"]] == [0.25, 0.5, 1.0]
    assert smallest_proven(found.curves["mark"]) == 0.5
    assert smallest_proven(found.curves["other"]) is None
    said = " ".join(decoy_sentences(found))
    assert "proven in every run is 0.5; in some run it is at 0.25." in said
    assert "other: at no coverage (tried: 0.5)" in said
    assert decoy_headline(found) == "3 of 5 trainings are proven to go by the decoy of class cat"


def test_the_mean_of_shares_has_an_interval_as_wide_as_its_parts_allow():
    rates = [Rate(0, 20), Rate(10, 20), Rate(20, 20)]
    mean, (low, high) = mean_of_shares(rates)
    assert mean == 0.5
    below, above = zip(*((one.share - one.interval[0], one.interval[1] - one.share) for one in rates), strict=True)
    assert low == pytest.approx(0.5 - np.sqrt(np.square(below).sum()) / 3)
    assert high == pytest.approx(0.5 + np.sqrt(np.square(above).sum()) / 3)
    assert mean_of_shares(rates[1:2]) == (0.5, pytest.approx(wilson(10, 20)))


def test_the_table_of_coverages_fits_a_narrow_terminal():
    names = ["n03417042", "dog", "owl"]
    other = training("b", decoyed=np.where(LABELS == 1, 0, DECOYED))
    found = study_decoys([[training(), other], [training("c", 1.0)]], names[0], names, LABELS)
    console = Console(width=80, file=StringIO())
    for table in coverage_printed(found):
        console.print(table)
    shown = console.file.getvalue()
    assert [name in shown for name in ("others → it", "[51.0, 100.0]", "[+0.200, +0.400]", "2 of 2", "proven")] == [
        True
    ] * 5
    assert "…" not in shown
