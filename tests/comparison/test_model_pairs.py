"""Pairs of models: disagreements against literal versions, twins, chance, and images that some models lack."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from unhans.comparison import (
    ImageMasks,
    ModelView,
    Reasons,
    accuracy_of,
    disagreements,
    drop,
    judge_pairs,
    quotient,
    sum_onto,
)

LABELS = np.repeat([0, 1], 30)


def view(seed, moved=0, noise=0.3):
    """Heatmaps with a bump each at a place of its own, moved by some cells, and noise by the seed."""
    places, rng = np.random.default_rng(7), np.random.default_rng(seed)
    maps = noise * rng.normal(size=(len(LABELS), 8, 8))
    for each, (row, column) in zip(maps, places.integers(0, 4, (len(LABELS), 2)), strict=True):
        each[row + moved, column + moved] += 4
    return ModelView(LABELS.copy(), np.full(len(LABELS), 0.9), maps.astype(np.float32))


def test_disagreements_are_one_minus_the_agreement_and_nothing_else_without_masks():
    views = {"a": view(0), "b": view(1)}
    found = disagreements(views, "a", "b")
    assert list(found) == ["cosine", "rank correlation", "top overlap"]
    one, two = (views[name].heatmaps[5].ravel() for name in "ab")
    assert found["cosine"][5] == pytest.approx(1 - one @ two / np.linalg.norm(one) / np.linalg.norm(two), rel=1e-5)


def test_what_looks_elsewhere_is_different_and_twins_are_not():
    views = {"a": view(0), "b": view(1), "c": view(2), "moved": view(3, moved=3)}
    twins = [("a", "b"), ("a", "c"), ("b", "c")]
    found = {(one.first, one.second, one.label): one.found for one in judge_pairs(views, LABELS, twins)
             if one.measure == "cosine"}  # fmt: skip
    assert all(found[(*pair, label)].reasons is Reasons.WITHIN_TWINS for pair in twins for label in (None, 0, 1))
    assert all(found[name, "moved", label].reasons is Reasons.DIFFERENT for name in "abc" for label in (0, 1))
    alone = judge_pairs({"a": views["a"], "b": views["b"]}, LABELS, [("b", "a")])
    assert {one.found.reasons for one in alone} == {Reasons.NO_TWINS}, "a pair is no reference for itself"


def test_chance_is_the_disagreement_about_other_images_of_the_class():
    found = judge_pairs({"a": view(0), "b": view(1)}, LABELS)
    for one in found:
        assert one.chance > one.found.median
    lonely = judge_pairs({"a": view(0).take(np.array([0])), "b": view(1).take(np.array([0]))}, LABELS[:1])
    assert all(np.isnan(one.chance) for one in lonely)


def test_masks_and_transfer_are_of_the_images_that_have_masks():
    masks = np.zeros((12, 8, 8), np.float32)
    masks[:, :4] = 1
    other = masks.copy()
    other[:6] = 1 - other[:6]
    masks, other = (ImageMasks.of(np.arange(12), each) for each in (masks, other))
    through = {"a": np.full(60, np.nan), "b": np.full(60, np.nan)}
    through["a"][:12], through["b"][:12] = 0.8, np.r_[np.full(6, 0.2), np.full(6, 0.8)]
    back = {"a": through["b"], "b": through["a"]}
    views = {"a": ModelView(LABELS, LABELS * 0.5, view(0).heatmaps, masks, through),
             "b": ModelView(LABELS, LABELS * 0.5, view(0).heatmaps, other, back)}  # fmt: skip
    found = disagreements(views, "a", "b")
    assert found["masks"][:12].tolist() == [1] * 6 + [0] * 6
    assert np.isnan(found["masks"][12:]).all()
    assert found["transfer"][:12] == pytest.approx([0.6] * 6 + [0] * 6)
    assert found["transfer quotient"][:12] == pytest.approx([0.75] * 6 + [0] * 6)
    assert drop(views, "a", "b")[0] == pytest.approx(0.6)
    assert quotient(views, "b", "a")[0] == pytest.approx(0.25)
    judged = {one.measure: one for one in judge_pairs(views, LABELS) if one.label == 0}
    assert judged["masks"].found.n == 12
    assert judged["transfer quotient"].found.median == pytest.approx(0.375, abs=0.376), "of six and six"
    assert np.isnan(judged["transfer quotient"].chance), "probabilities under masks are of these images alone"
    assert judged["masks"].chance == pytest.approx(0.5, abs=0.15), "half the image is covered"
    assert not [one for one in judge_pairs(views, LABELS) if one.measure == "masks" and one.label == 1]


def test_influence_is_compared_where_both_models_were_asked():
    scores = np.full((60, 9), np.nan, np.float32)
    scores[:4] = np.random.default_rng(0).normal(size=(4, 9))
    views = {name: ModelView(LABELS, LABELS * 0.5, view(0).heatmaps, influence=sign * scores)
             for name, sign in (("a", 1), ("b", -1))}  # fmt: skip
    found = disagreements(views, "a", "b")["influence"]
    assert found[:4] == pytest.approx(2)
    assert np.isnan(found[4:]).all()


def test_clusters_of_gradients_are_held_against_twins():
    """Twins group alike but for a few images; another model groups by something else in one class."""
    rng = np.random.default_rng(0)
    base = 2 * LABELS + rng.integers(0, 2, 60)

    def grouped(flipped):
        found = base.copy()
        found[flipped] = 4 * LABELS[flipped] + 1 - found[flipped]
        return ModelView(LABELS, LABELS * 0.5, view(0).heatmaps, clusters=found)

    views = {"a": grouped([]), "b": grouped([3]), "c": grouped([40]), "other": grouped(np.arange(0, 30, 2))}
    twins = [("a", "b"), ("a", "c"), ("b", "c")]
    found = {(one.first, one.second, one.label): one for one in judge_pairs(views, LABELS, twins)
             if one.measure == "gradient clusters"}  # fmt: skip
    apart = found["a", "other", 0]
    ids = [views[name].clusters[:30] for name in ("a", "other")]
    assert apart.found.median == pytest.approx(1 - adjusted_rand_score(*ids)), "the mean, not the median"
    rng = np.random.default_rng(1)
    drawn = [1 - adjusted_rand_score(*(each[rows] for each in ids)) for rows in rng.integers(0, 30, (300, 30))]
    assert apart.found.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.06), "of resampled images"
    assert apart.found.reasons is Reasons.DIFFERENT
    assert apart.chance == pytest.approx(1, abs=0.3)
    assert found["a", "other", 1].found.median == 0
    assert found["a", "other", 0].found.p < 0.01
    assert {found[(*pair, label)].found.reasons for pair in twins for label in (0, 1)} == {Reasons.WITHIN_TWINS}
    few = {name: each.take(np.arange(0, 60, 2)) for name, each in views.items()}
    said = [one.found.reasons for one in judge_pairs(few, LABELS[::2], twins) if one.measure == "gradient clusters"]
    assert said.count(Reasons.TOO_FEW) == 12, "fifteen images of a class, for every pair"


def test_sums_onto_a_grid_share_pixels_by_area():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 5, 7)).astype(np.float32)
    fine = np.repeat(np.repeat(maps, 3, 1), 4, 2) / 12  # 15 × 28 pixels: now 3 × 4 cells hold whole ones
    expected = fine.reshape(2, 3, 5, 4, 7).sum((2, 4))
    assert sum_onto(maps, (3, 4)) == pytest.approx(expected, abs=1e-5)
    assert sum_onto(np.ones((1, 48, 48)), (28, 28)).std() == pytest.approx(0, abs=1e-6), "no pattern of cells"


def test_accuracy_has_its_interval():
    found = accuracy_of(view(0), np.r_[LABELS[:50], 1 - LABELS[50:]])
    assert (found.correct, found.n, found.share) == (50, 60, 50 / 60)
    assert found.interval[0] < found.share < found.interval[1]


def test_twins_of_another_architecture_are_no_reference():
    views = {"a": view(0), "b": view(1), "other": view(3, moved=3)}
    kinds = {"a": "small", "b": "small", "other": "large"}
    found = judge_pairs(views, LABELS, [("a", "b")], kinds)
    assert {one.found.reasons for one in found if one.second == "other"} == {Reasons.NO_TWINS}


def test_twins_that_agree_no_more_than_chance_hide_nothing_in_silence():
    views = {"a": view(0), "b": view(1, noise=60.0), "c": view(2)}
    found = judge_pairs(views, LABELS, [("a", "b")])
    said = {one.found.reasons for one in found if one.label == 0 and one.measure == "cosine" and one.second == "c"}
    assert said == {Reasons.TWINS_DISAGREE}
