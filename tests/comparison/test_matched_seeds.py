"""What two kinds of training differ in at every seed, against literal versions and known differences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from unhans.comparison import ModelView, Reasons, common_share, judge_kinds
from unhans.comparison.matched_seeds import chance_limit, kinds_of, matched_kinds
from unhans.report.tables.models.comparison_tables import kind_rows

LABELS = np.repeat([0, 1], 24)
KINDS = {"a": ["a0", "a1", "a2", "a3"], "b": ["b0", "b1", "b2", "b3"]}
SEEDS = {name: int(name[1]) for names in KINDS.values() for name in names}
TWINS = [(one, two) for names in KINDS.values() for i, one in enumerate(names) for two in names[i + 1 :]]


def literal(first, second):
    """Image by image, pair of seeds by pair of seeds."""
    k, n = len(first), len(first[0])
    found = []
    for i in range(n):
        d = [
            a[i] / np.sqrt((a[i] ** 2).sum()) - b[i] / np.sqrt((b[i] ** 2).sum())
            for a, b in zip(first, second, strict=True)
        ]
        crossed = [(d[s] * d[t]).sum() for s in range(k) for t in range(k) if s != t]
        found.append(np.mean(crossed) / np.mean([(each**2).sum() for each in d]))
    return found


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_share_equals_its_literal_version(k):
    one, two = np.random.default_rng(k).normal(size=(2, k, 6, 5, 4))
    assert common_share(one, two) == pytest.approx(literal(one, two), rel=1e-9)


def test_all_is_common_where_seeds_do_nothing_and_nothing_where_only_seeds_differ():
    rng = np.random.default_rng(0)
    one, two = (np.repeat(rng.normal(size=(1, 4, 6, 6)), 3, axis=0) for _ in range(2))
    assert common_share(one, two) == pytest.approx(np.ones(4))
    base, noise = rng.normal(size=(1, 400, 6, 6)), rng.normal(size=(2, 2, 400, 6, 6))
    assert abs(common_share(base + noise[0], base + noise[1]).mean()) < 0.02
    one[:, 0] = 0
    assert np.isnan(common_share(one, two)[0])
    with pytest.raises(ValueError, match="k of 2 or more"):
        common_share(one[:1], two[:1])


def views(moved=1.2, own=1.0):
    """Every seed has a pattern of its own, shared by all images; kind b looks elsewhere as well, at class 1 only."""
    rng = np.random.default_rng(3)
    images = rng.normal(size=(len(LABELS), 8, 8))
    patterns, elsewhere = rng.normal(size=(8, 8, 8)), rng.normal(size=(8, 8))
    found = {}
    for number, name in enumerate([*KINDS["a"], *KINDS["b"]]):
        maps = 2 * images + own * patterns[number] + 0.2 * rng.normal(size=images.shape)
        maps[LABELS == 1] += moved * elsewhere * (name[0] == "b")
        found[name] = ModelView(LABELS.copy(), np.full(len(LABELS), 0.9), maps.astype(np.float32))
    return found


def test_only_what_every_seed_shows_is_different():
    found = {one.label: one for one in judge_kinds(views(), LABELS, TWINS, SEEDS)}
    assert (found[0].reasons, found[1].reasons) == (Reasons.WITHIN_TWINS, Reasons.DIFFERENT)
    assert found[1].first == ("a0", "a1", "a2", "a3")
    assert found[1].interval[0] < found[1].common < found[1].interval[1]
    few = judge_kinds({k: v.take(np.arange(20, 40)) for k, v in views().items()}, LABELS[20:40], TWINS, SEEDS)
    assert {one.reasons for one in few} == {Reasons.TOO_FEW}
    names = ["a0", "a1", "b0", "b1"]
    two = judge_kinds({name: views()[name] for name in names}, LABELS, TWINS, SEEDS)
    assert {one.reasons for one in two} == {Reasons.NO_TWINS}, "two seeds of a kind do not show what chance gives"
    assert two[1].common > 0.2


def test_twins_that_are_taken_for_two_kinds_are_seldom_called_different():
    """Eight twins: four of them against the other four, for many draws of their patterns."""
    wrong = []
    for draw in range(40):
        rng = np.random.default_rng(draw)
        patterns = rng.normal(size=(8, 8, 8))
        twins = {
            name: ModelView(LABELS, np.ones(48), (2 * IMAGES + patterns[i]).astype(np.float32))
            for i, name in enumerate([*KINDS["a"], *KINDS["b"]])
        }
        wrong += [one.reasons is Reasons.DIFFERENT for one in judge_kinds(twins, LABELS, TWINS, SEEDS)]
    assert np.mean(wrong) <= 0.05


IMAGES = np.random.default_rng(9).normal(size=(len(LABELS), 8, 8))


def test_the_limit_is_what_four_twins_have_in_common_two_by_two():
    found = views()
    maps = {name: view.heatmaps for name, view in found.items()}
    medians = []
    for kind in KINDS.values():
        for (a, b), (c, d) in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
            shares = np.array(literal([maps[kind[a]], maps[kind[c]]], [maps[kind[b]], maps[kind[d]]]))
            medians += [np.median(shares[label == LABELS]) for label in (0, 1)]
    assert chance_limit(found, LABELS, list(KINDS.values())) == pytest.approx(
        1.96 * np.sqrt(np.mean(np.square(medians))), rel=1e-5
    )
    assert np.isnan(chance_limit(found, LABELS, [["a0", "a1", "a2"]]))


def test_models_are_matched_by_seed_and_the_others_in_their_order():
    assert kinds_of(["a0", "x", *KINDS["b"], "a1"], TWINS) == [["a0", "a1"], ["x"], KINDS["b"]]
    one, two = ["a0", "a1", "a2"], ["b0", "b1", "b2", "b3"]
    seeds = {"a0": 5, "a1": 7, "a2": 9, "b0": 1, "b1": 9, "b2": 7, "b3": 2}
    assert matched_kinds([one, two], seeds) == [(["a1", "a2", "a0"], ["b2", "b1", "b0"])]
    assert matched_kinds([one, two], {}) == [(one, ["b0", "b1", "b2"])], "nobody knows the seeds"
    assert matched_kinds([["a0"], two], seeds) == []


def test_below_four_twins_the_limit_is_an_empty_cell_with_its_reason():
    found = judge_kinds({name: views()[name] for name in ("a0", "a1", "b0", "b1")}, LABELS, TWINS, SEEDS)
    rows = kind_rows(SimpleNamespace(kinds=found, names=["x", "y"]))
    places = [rows.columns.index(name) for name in ("chance_limit", "reasons")]
    assert [tuple(row[i] for i in places) for row in rows.rows] == [(None, "no limit: fewer than four twins")] * 2
