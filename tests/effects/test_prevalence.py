"""Who else carries an artifact, what its removal does in each split, and what adding and removing say together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_examine import EACH, examined, splits, world

from unhans.effects import Case, Prevalence, kept_without, reliance
from unhans.effects.effect import trial
from unhans.effects.prevalence import in_other_classes
from unhans.effects.verdict import Verdict
from unhans.report.tables import carrier_rows, effect_groups, effect_rows
from unhans.report.text import case_grounds, spread_sentences

SHARED = 20  # samples of class 2 that carry the mark as well


def shared_world(uses=True):
    """The world of `test_examine` where samples of class 2, in both splits, carry the mark of class 0."""
    bench, images, carriers = world(uses)
    also = np.concatenate([np.flatnonzero(bench.labels == 2)[:10], np.flatnonzero(bench.labels == 2)[-10:]])
    images[also] = images[also].clone()
    images[also, :, 4:10, 4:10] = images[np.flatnonzero(carriers)[0], :, 4:10, 4:10]
    truth = carriers.copy()
    truth[also] = True
    return bench, images, carriers, truth


@pytest.fixture(scope="module")
def shared():
    bench, images, carriers, truth = shared_world()
    options = {"splits": splits(bench), "elsewhere": np.flatnonzero(bench.labels != 0), "planted": truth}
    return (
        bench,
        truth,
        examined(bench, images, carriers, others=np.flatnonzero(~truth & (bench.labels > 0)), **options),
    )


def test_carriers_in_other_classes_are_counted_literally(shared):
    bench, truth, case = shared
    expected = []
    for label in (1, 2):
        own = np.flatnonzero(bench.labels == label)
        seen = [bool(case.isolated.detector.match(bench.read(own[[k]])[0]).carries[0]) for k in range(len(own))]
        called = [bench.predict(bench.read(own[[k]])[0]).argmax() == 0 for k in range(len(own))]
        counts = sum(seen), sum(a and b for a, b in zip(seen, called, strict=True))
        right = sum(a and b for a, b in zip(seen, truth[own], strict=True))
        expected.append(Prevalence(label, "abc"[label], 2 * EACH, *counts, int(truth[own].sum()), right))
    assert case.elsewhere == tuple(expected)
    assert case.elsewhere[1].right == SHARED
    assert case.elsewhere[0].found <= 2


def test_the_text_names_who_else_carries_it_and_how_right_the_detector_is(shared):
    _, _, case = shared
    told = " ".join(spread_sentences(case))
    assert "Of 240 images of 2 other classes" in told
    assert "'c' (20 of 120)" in told
    assert "the detector's errors are known" in told
    assert "recall 100.0 %" in told
    assert "this may be why" not in told  # adding it raises the probability


def test_an_artifact_without_effect_is_looked_for_and_its_sharing_is_said_to_explain_it():
    bench, images, carriers, truth = shared_world(uses=False)
    options = {"splits": splits(bench), "elsewhere": np.flatnonzero(bench.labels != 0), "samples": 200}
    case = examined(bench, images, carriers, others=np.flatnonzero(~truth & (bench.labels > 0)), **options)
    assert case.proof.verdict.name == "not used"
    assert [each.name for each in case.elsewhere] == ["b", "c"]
    told = " ".join(spread_sentences(case))
    assert "Other classes carry it too ('c')" in told
    assert "errors are known" not in told  # nobody said who truly carries it


def test_without_samples_to_look_at_nothing_is_said():
    bench, images, carriers = world()
    case = examined(bench, images, carriers)
    assert case.elsewhere == ()
    assert not any("other classes" in said for said in spread_sentences(case))
    nowhere = in_other_classes(bench, case.isolated.detector, 0, np.array([], dtype=np.int64))
    assert nowhere == ()


def test_no_carrier_elsewhere_is_said_with_an_interval():
    none = tuple(Prevalence(k, name, 50, 0, 0) for k, name in ((1, "b"), (2, "c")))
    assert "Of 100 images of 2 other classes, drawn evenly, the detector finds it in none (0.0 % [0.0, 3.7])." in (
        spread_sentences(Case(0, "a", elsewhere=none))
    )


def test_who_carries_it_is_a_table(shared):
    _, _, case = shared
    table = carrier_rows([case])
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["found_in"], row["split"]) for row in rows] == [("a", "train"), ("a", "val"), ("c", None), ("b", None)]
    assert (rows[2]["n"], rows[2]["found"], rows[2]["planted"]) == (120, 20, 20)
    assert rows[2]["share_low"] < 20 / 120 < rows[2]["share_high"]


def test_removal_is_measured_on_validation_carriers_that_the_detector_finds(shared):
    bench, _, case = shared
    (removal,) = case.proof.removals  # all that was surveyed is training images: their removal is the proof's own
    assert (removal.split, removal.by) == ("val", "detector")
    val = splits(bench)["val"]
    assert np.isin(removal.trials[0].indices, val).all()
    assert not np.isin(case.proof.removed[0].indices, val).any()
    assert removal.trials[0].effect.n == EACH // 2
    assert removal.trials[0].effect.probability_interval[1] < -0.05
    table = effect_rows([case], splits(bench))
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    ways = {(row["split"], row["carriers"]) for row in rows if row["direction"] == "remove"}
    assert ways == {("train", "members"), ("val", "detector")}
    assert "validation, found by the detector" in effect_groups(case.proof)[-1].title
    assert "affected samples (validation, found by the detector)" in case_grounds(case)["Removal"]


def test_members_of_both_splits_are_told_apart_by_their_split():
    bench, images, carriers = world()
    from first_isolated import isolate_first

    from unhans.effects.artifact_test import examine_isolated

    index = np.flatnonzero(bench.labels == 0)
    heatmaps = bench.explain(images[index], 0)
    isolated = isolate_first(images[index], heatmaps, carriers[index])
    others = np.flatnonzero(bench.labels > 0)
    case = examine_isolated(
        bench, Case(0, "a", isolated=isolated), index, heatmaps, others=others, splits=splits(bench), samples=60
    )
    assert [(each.split, each.by, each.trials[0].effect.n) for each in case.proof.removals] == [
        ("train", "members", EACH // 2),
        ("val", "members", EACH // 2),
    ]
    assert case.proof.removed[0].effect.n == EACH


def removed(kept, n=40, control=None, fall=6.0):
    """Trials of a removal: of n samples, all recognised before, `kept` still are; elsewhere `control`."""
    before = np.tile([3.0, 0.0], (n, 1))

    def after(stay):
        return np.where(np.arange(n)[:, None] < stay, before, before - [fall, 0.0])

    indices = np.arange(n)
    return tuple(
        trial(name, before, after(stay), 0, indices, lost=True)
        for name, stay in (("telea", kept), ("elsewhere", n if control is None else control))
    )


PROVEN, UNUSED = Verdict("proven"), Verdict("not used")


def test_adding_and_removing_together_say_what_the_artifact_is():
    assert reliance(PROVEN, removed(kept=2)) == "alone"
    assert reliance(PROVEN, removed(kept=40)) == "other evidence"
    assert reliance(PROVEN, removed(kept=34)) == "other evidence"
    assert reliance(PROVEN, removed(kept=20)) == "open"
    assert reliance(PROVEN, removed(kept=2, control=2)) == "open"  # as much taken away elsewhere does the same
    assert reliance(UNUSED, removed(kept=2)) == "together"
    assert reliance(UNUSED, removed(kept=40)) is None
    assert reliance(PROVEN, removed(kept=0, n=5)) is None  # too few
    assert reliance(PROVEN, ()) is None
    assert reliance(Verdict("open"), removed(kept=2)) is None


def test_a_test_that_ended_early_is_not_said_to_lack_samples(capsys, tmp_path):
    from unhans.experiment.cases import TestedCase
    from unhans.experiment.effect.effect_command import conclude

    bench, images, carriers = world(uses=False)
    ended = examined(bench, images, carriers, samples=200)
    assert ended.proof.added[0].effect.n == 100
    conclude(tmp_path, [TestedCase(ended, None, {}, None)], [], samples=200)
    assert "asked for" not in capsys.readouterr().out
    assert (tmp_path / "carriers.csv").is_file()


def test_samples_that_stay_recognised_are_counted_among_those_that_were():
    found = kept_without(removed(kept=7, n=20, control=18))
    assert (found.predicted, found.kept, found.control) == (20, 7, 18)
    low, high = found.interval
    assert low == pytest.approx(0.181, abs=5e-4)  # Wilson, 7 of 20
    assert high == pytest.approx(0.567, abs=5e-4)


def test_the_grounds_say_what_it_relies_on(shared):
    _, _, case = shared
    told = case_grounds(case)["Reliance"]
    assert told.count("recognised") == 2  # of the training members, and of the validation samples
    alone = replace(case.proof, removed=removed(kept=2), removals=())
    assert "relies on it alone" in case_grounds(replace(case, proof=alone))["Reliance"]
