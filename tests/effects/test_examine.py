"""From an isolated artifact to a case: what is measured, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from first_isolated import isolate_first

from unhans.effects import Bench, Case
from unhans.effects.artifact_test import examine_isolated
from unhans.effects.prevalence import look_in_splits, shares_of

SIDE, EACH = 24, 60
MARK = np.s_[4:10, 4:10]


def world(uses=True):
    """Three classes of smooth noise; half of class 0, in training and validation, carries a checkered mark.

    The network's logit of class 0 counts the mark's pattern, if it uses it; heatmaps show where it lies.
    """
    rng = np.random.default_rng(0)
    pattern = (np.indices((6, 6)).sum(0) % 2).astype(np.float32)
    coarse = torch.from_numpy(rng.random((2 * 3 * EACH, 3, 6, 6), dtype=np.float32))
    images = torch.nn.functional.interpolate(coarse, size=SIDE, mode="bilinear") * 0.6 + 0.2
    labels = np.tile(np.repeat(np.arange(3), EACH), 2)
    carriers = (labels == 0) & (np.arange(len(labels)) % 2 == 0)
    for i in np.flatnonzero(carriers):
        images[i, :, 4:10, 4:10] = torch.from_numpy(pattern)
    kernel = torch.from_numpy(pattern - pattern.mean())

    def predict(batch):
        found = (batch[:, :, 4:10, 4:10] * kernel).sum((1, 2, 3)).double().numpy() / 12
        return np.stack([found * (4 if uses else 0) - 1, np.zeros(len(batch)), np.full(len(batch), -1.0)], axis=1)

    def explain(batch, target):
        maps = np.full((len(batch), SIDE, SIDE), 0.01, dtype=np.float32)
        maps[:, 4:10, 4:10] += np.abs(batch[:, 0, 4:10, 4:10].numpy() - 0.5)
        return maps

    bench = Bench(predict, explain, lambda i: (images[torch.from_numpy(i)], i), labels, ["a", "b", "c"], seed=0)
    return bench, images, carriers


def examined(bench, images, carriers, **options):
    index = np.flatnonzero(bench.labels[: 3 * EACH] == 0)
    heatmaps = bench.explain(images[index], 0)
    isolated = isolate_first(images[index], heatmaps, carriers[index], mask=options.pop("mask", None))
    others = np.flatnonzero(bench.labels > 0)
    options = {"samples": 60, "others": others, "cluster": carriers[index], **options}
    return examine_isolated(bench, Case(0, "a", isolated=isolated), index, heatmaps, **options)


def splits(bench):
    half = len(bench.labels) // 2
    return {"train": np.arange(half), "val": half + np.arange(half)}


@pytest.fixture(scope="module")
def proven():
    bench, images, carriers = world()
    return bench, carriers, examined(bench, images, carriers, splits=splits(bench))


def test_an_artifact_that_the_network_uses_is_proven(proven):
    _, carriers, case = proven
    assert case.proven
    assert case.isolated.kind == "fixed"
    np.testing.assert_array_equal(case.isolated.members, carriers[:EACH])
    assert case.isolated.layers[0][3][MARK].mean() > 0.8
    assert case.quality.after.mean > case.quality.before.mean


def test_both_splits_are_counted(proven):
    bench, carriers, case = proven
    train, val = case.spread
    assert (train.split, train.n, train.by_cluster, train.by_matching) == ("train", EACH, EACH // 2, EACH // 2)
    assert (val.split, val.n, val.by_cluster, val.by_matching) == ("val", EACH, None, EACH // 2)
    plain = np.flatnonzero((bench.labels == 0) & ~carriers)[: EACH // 2]
    correct = int((bench.predict(bench.read(plain)[0]).argmax(1) == 0).sum())
    assert train.correct_without == correct
    assert train.correct == EACH // 2 + correct


def test_an_artifact_that_the_network_does_not_use_has_no_effect():
    bench, images, carriers = world(uses=False)
    case = examined(bench, images, carriers, samples=200)
    assert case.proof.verdict.name == "not used"
    assert not case.proven
    assert case.spread == ()


def test_only_the_given_others_are_pasted_on():
    bench, images, carriers = world()
    others = np.flatnonzero(bench.labels == 2)[:15]
    case = examined(bench, images, carriers, others=others)
    np.testing.assert_array_equal(np.sort(case.proof.added[0].indices), others)


def test_a_mask_bounds_the_layer():
    bench, images, carriers = world()
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[4:10, 4:7] = True
    case = examined(bench, images, carriers, mask=mask)
    assert not case.isolated.layers[0][3][torch.from_numpy(~mask)].any()
    assert case.isolated.layers[0][3][4:10, 4:7].mean() > 0.8


def test_a_cast_of_colour_is_measured_like_any_artifact():
    bench, images, carriers = world(uses=False)
    images = images.clone()
    own = np.flatnonzero(carriers[:EACH])
    images[:EACH][carriers[:EACH]] = images[:EACH][~carriers[:EACH]]
    images[own, 0] = (images[own, 0] + 0.3).clamp(0, 1)
    case = examined(bench, images, carriers, samples=200)
    assert case.isolated.kind == "global"
    assert case.quality is None
    assert case.proof.verdict.name == "not used"
    assert [trial.name for trial in case.proof.added] == ["artifact"]  # where an effect is excluded, controls decide
    assert case.proof.removed == ()  # nothing, and removal neither


def test_the_count_of_an_empty_split_is_zero(proven):
    bench, _, case = proven
    nothing = np.array([], dtype=np.int64)
    (share,) = shares_of(look_in_splits(bench, case.isolated.detector, 0, {"val": nothing}), nothing, nothing)
    assert (share.n, share.by_cluster, share.by_matching, share.correct) == (0, None, 0, 0)
