"""Agreement of two models against literal versions and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, hypergeom, spearmanr
from sklearn.metrics import adjusted_rand_score

from unhans.comparison import (
    Choice,
    ImageMasks,
    Reasons,
    blocks,
    chance_overlap,
    class_disagreement,
    cluster_disagreement,
    cosine,
    detection,
    equally_accurate,
    mask_overlap,
    on_grid,
    prediction_agreement,
    recommend,
    settle,
    share_inside,
    spearman,
    top_overlap,
)
from unhans.comparison.cluster_agreement import rand_disagreement
from unhans.comparison.image_masks import overlap_of


def maps(n=6, side=9, seed=0):
    return np.random.default_rng(seed).normal(size=(n, side, side))


def test_heatmap_measures_equal_their_definitions_image_by_image():
    one, two = maps(seed=0), maps(seed=1)
    for i, (a, b) in enumerate(zip(one, two, strict=True)):
        a, b = a.ravel(), b.ravel()
        assert cosine(one, two)[i] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        assert spearman(one, two)[i] == pytest.approx(spearmanr(a, b).statistic)
        first, second = set(np.argsort(-a)[:8]), set(np.argsort(-b)[:8])
        assert top_overlap(one, two, 0.1)[i] == pytest.approx(len(first & second) / len(first | second))


def test_a_heatmap_agrees_with_itself_and_an_empty_one_with_nothing():
    one = maps()
    assert cosine(one, 3 * one) == pytest.approx(1)
    assert cosine(one, -one) == pytest.approx(-1)
    assert (top_overlap(one, one) == 1).all()
    assert np.isnan(cosine(one, np.zeros_like(one))).all()


def test_maps_of_other_sizes_meet_on_the_largest_common_grid():
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in ((30, 45), (224, 224), (20, 64))]
    found = on_grid(*given)
    assert {each.shape for each in found} == {(2, 20, 28)}
    for one, two in zip(given, found, strict=True):
        assert two.sum((1, 2)) == pytest.approx(one.sum((1, 2)), rel=1e-3, abs=1e-2)


def test_predictions_are_compared_by_mcnemar():
    labels = np.zeros(40, int)
    one, two = labels.copy(), labels.copy()
    one[:2], two[2:14], one[20:23], two[20:23] = 1, 1, 2, 2
    found = prediction_agreement(one, two, labels)
    assert (found.only_first, found.only_second, found.n) == (12, 2, 40)
    assert found.p == pytest.approx(binomtest(12, 14).pvalue)
    assert found.agreement == pytest.approx(26 / 40)
    assert found.difference == pytest.approx(10 / 40)
    assert found.difference_interval[0] > 0
    assert prediction_agreement(labels, labels, labels).p == 1


def boxes(*places, side=4, size=16):
    found = np.zeros((len(places), size, size))
    for mask, (row, column) in zip(found, places, strict=True):
        mask[row : row + side, column : column + side] = 1
    return found


def test_masks_overlap_by_their_mean_size():
    one, two = boxes((0, 0), (0, 0), (0, 0)), boxes((0, 0), (0, 2), (8, 8))
    assert mask_overlap(one, two).tolist() == [1, 0.5, 0]
    assert mask_overlap(one * 0.6, two).tolist() == [1, 0.5, 0]  # rounded at one half
    assert np.isnan(mask_overlap(one * 0.4, two * 0.4)).all()
    assert share_inside(two, one).tolist() == [1, 0.5, 0]


def test_chance_overlap_is_the_share_of_the_image():
    given = boxes(*[(row, column) for row in (0, 5, 9) for column in (0, 5, 9)])
    assert chance_overlap(given, 2000).mean() == pytest.approx(16 / 256, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_of_two_models_agree_by_the_adjusted_rand_index(seed):
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 2 + seed % 2, 25), rng.integers(0, 2, 25)
    two[:10] = one[:10] % 2
    found = cluster_disagreement(one, two)
    assert found.mean() == pytest.approx(1 - adjusted_rand_score(one, two))
    assert cluster_disagreement(one, 1 - one).tolist() == [0] * 25 or seed % 2
    assert rand_disagreement(one % 2, two)[0] == pytest.approx(1 - adjusted_rand_score(one % 2, two))
    apart = [sum((one[i] == one[j]) != (two[i] == two[j]) for j in range(25)) / 24 for i in range(25)]
    assert found / found.mean() == pytest.approx(np.array(apart) / np.mean(apart)), "of whom each is together with"


def test_images_without_a_cluster_have_no_disagreement():
    one, two = np.array([0, 0, 1, 1, -1]), np.array([1, 1, 0, -1, 0])
    found = cluster_disagreement(one, two)
    assert found[:3].tolist() == [0, 0, 0]
    assert np.isnan(found[3:]).all()
    assert np.isnan(cluster_disagreement(one[:1], two[:1])).all()
    assert cluster_disagreement(np.zeros(4, int), np.zeros(4, int)).tolist() == [0] * 4


def test_masks_take_a_bit_a_pixel_of_the_images_that_have_one():
    rng = np.random.default_rng(0)
    masks, rows = rng.uniform(size=(5, 9, 7)).astype(np.float32), np.array([2, 3, 50, 51, 900_000])
    kept = ImageMasks.of(rows, masks)
    assert kept.nbytes == 5 * 8 + 5 * 8, "⌈9 · 7 / 8⌉ bytes each and their rows, however many images there are"
    assert np.array_equal(kept.at(rows[[3, 0]]), masks[[3, 0]] > 0.5)
    taken = kept.take(np.array([900_000, 7, 2, 2]))
    assert taken.rows.tolist() == [0, 2, 3]
    assert np.array_equal(taken.at([0, 3]), masks[[4, 0]] > 0.5)
    other = ImageMasks.of(rows[1:] - 1, masks[1:])  # rows 2, 49, 50 and 899,999
    expected = mask_overlap(masks[[0, 2]], masks[[1, 3]])
    found = overlap_of(kept, other, 52)
    assert found[[2, 50]] == pytest.approx(expected)
    assert np.isnan(found).sum() == 50
    assert [len(each) for each in blocks(rows, 2)] == [2, 2, 1]


def test_disagreement_beyond_the_twins_is_different():
    rng = np.random.default_rng(0)
    twins, apart = rng.uniform(0.2, 0.5, (3, 40)), rng.uniform(0.8, 1, 40)
    assert class_disagreement(apart, twins).reasons is Reasons.DIFFERENT
    assert class_disagreement(apart).reasons is Reasons.NO_TWINS
    assert class_disagreement(apart[:19], twins).reasons is Reasons.TOO_FEW
    assert class_disagreement(rng.uniform(0.2, 0.51, 40), twins).reasons is Reasons.WITHIN_TWINS
    with pytest.raises(ValueError, match="none of 3 images has a disagreement"):
        class_disagreement(np.full(3, np.nan))


def test_twins_are_not_called_different():
    """A third twin's pairs held against the others: in at least 95 % of classes, as all are drawn alike."""
    rng = np.random.default_rng(1)
    found = [class_disagreement(*np.split(rng.beta(2, 3, (2, 20)), 2)).reasons for _ in range(300)]
    assert np.mean([each is Reasons.WITHIN_TWINS for each in found]) >= 0.95


@pytest.mark.parametrize(("n", "held"), [(20, 20), (24, 24), (40, 40), (40, 120), (200, 200)])
def test_twins_are_seldom_called_different_whatever_the_numbers(n, held):
    rng = np.random.default_rng(n + held)
    found = [class_disagreement(rng.beta(2, 5, n), rng.beta(2, 5, held)).reasons for _ in range(200)]
    assert np.mean([each is Reasons.WITHIN_TWINS for each in found]) >= 0.93, "95 % but for 200 draws"


def test_a_third_of_a_class_is_not_overlooked():
    rng = np.random.default_rng(0)
    twins, values = rng.uniform(0.1, 0.3, (3, 36)), rng.uniform(0.1, 0.3, 36)
    assert class_disagreement(values, twins).reasons is Reasons.WITHIN_TWINS
    values[:12] += 0.5
    found = class_disagreement(values, twins)
    assert found.median < found.limit
    assert found.reasons is Reasons.DIFFERENT
    assert found.beyond == pytest.approx(1 / 3, abs=0.06)


def test_detection_is_an_area_under_the_curve():
    carriers = np.arange(20) < 8
    found = detection({"mask": np.where(carriers, 1.0, 0.1), "none": np.full(20, np.nan)}, carriers)
    assert found["mask"].value == 1
    assert list(found) == ["mask"]


def test_the_model_whose_artifacts_do_least_is_recommended_among_equals():
    rng = np.random.default_rng(2)
    correct = np.stack([rng.random(200) < 0.9, rng.random(200) < 0.9, rng.random(200) < 0.5])
    names, effect = ("a", "b", "c"), (0.5, (0.4, 0.6))
    assert equally_accurate(correct).tolist() == [True, True, False]
    lower = {("b", "a", "mark"): (-0.5, -0.1)}

    def choose(effects, differences=lower):
        return recommend(names, correct, effects, lambda *which: differences[which])

    found = choose({"a": {"mark": effect}, "b": {"mark": (0.1, (0.05, 0.15))}})
    assert (found.model, found.choice, found.candidates) == ("b", Choice.LEAST_EFFECT, ("a", "b"))
    near = {"a": {"mark": effect}, "b": {"mark": (0.45, (0.3, 0.6))}}
    assert choose(near, {("b", "a", "mark"): (-0.2, 0.1)}).choice is Choice.NOT_TOLD_APART
    assert choose(near, {("b", "a", "mark"): (-0.2, -0.01)}).model == "b", "paired, though their intervals meet"
    assert choose({name: {} for name in names}).choice is Choice.NOTHING_PROVEN
    assert choose(None).choice is Choice.NOT_TESTED
    alone = recommend(names[:1], correct[:1], {"a": {"mark": (0.9, (0.8, 1.0))}}, lambda *which: (0.0, 0.0))
    assert (alone.model, alone.choice) == (None, Choice.ONLY_ONE), "a strong effect is no advice"


def test_several_models_may_have_less_of_an_artifact_than_the_others():
    """Two are free of it, which are not told apart, and one is not: that must not read as if all were alike."""
    effects = {"a": {"mark": (0.8, (0.7, 0.9))}, "b": {"mark": (0.0, (-0.1, 0.1))}, "c": {"mark": (-0.1, (-0.2, 0.0))}}
    differences = {("c", "a", "mark"): (-1.0, -0.8), ("c", "b", "mark"): (-0.2, 0.1)}
    found = recommend(tuple("abc"), np.ones((3, 50), bool), effects, lambda *which: differences[which])
    assert (found.model, found.choice, found.least) == (None, Choice.SEVERAL_LEAST, ("b", "c"))


def test_what_is_called_different_is_sure_among_all_classes():
    """Many classes drawn alike, each called different one time in thirty alone, and one that is different."""
    rng = np.random.default_rng(3)
    alike = [class_disagreement(rng.beta(2, 5, 20), rng.beta(2, 5, 20)) for _ in range(200)]
    apart = class_disagreement(rng.beta(2, 5, 40) + 1, rng.beta(2, 5, 40))
    settled = settle([*alike, apart])
    assert settled[-1].reasons is Reasons.DIFFERENT
    assert not [one for one in settled[:-1] if one.reasons is Reasons.DIFFERENT]
    assert settle(alike[:0]) == []


def test_fishers_test_is_that_of_the_counts():
    rng = np.random.default_rng(4)
    values, twins = rng.beta(3, 3, 30), rng.beta(2, 5, (3, 30))
    found = class_disagreement(values, twins)
    beyond, there = int((values > found.limit).sum()), int((twins > found.limit).sum())
    drawn = hypergeom(120, beyond + there, 30)
    assert found.p == pytest.approx(sum(drawn.pmf(k) for k in range(beyond, 31)))
