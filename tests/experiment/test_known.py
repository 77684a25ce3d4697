"""The isolated artifact beside the planted one."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from experiment_cases import CLASSES, LABEL, LISTED, SIDE, bench, dataset, isolated, measured, troubled

from unhans.artifacts import covered
from unhans.effects import Case, softmax
from unhans.harness import compare_with_planted, measure_pasted, planted_in
from unhans.harness.ground_truth import overlap
from unhans.report.text import truth_sentence


@pytest.fixture(scope="module")
def images():
    return dataset()


@pytest.fixture(scope="module")
def truth(images):
    return compare_with_planted(bench(images), measured(images), planted_in(images), LISTED)


def test_what_was_found_is_counted(images, truth):
    carriers = int(images.carriers[LISTED].sum())
    assert (truth.carriers, truth.found, truth.right) == (carriers, carriers - 1, carriers - 1)
    assert truth.iou == pytest.approx(1)
    assert truth.within
    assert f"was found in {carriers - 1} samples, {carriers - 1} of the {carriers} with the artifact" in truth_sentence(
        truth
    )
    assert "IoU of 1.00" in truth_sentence(truth)
    assert "lies inside this interval" in truth_sentence(truth)


def test_the_planted_artifact_is_measured_on_the_same_samples(images, truth):
    case, own = measured(images), bench(images)
    indices = case.proof.added[0].indices
    before = torch.stack([images.plain(int(index)) for index in indices])
    layer = planted_in(images).layer(0, (SIDE, SIDE))
    after = before * (1 - layer[3]) + layer[:3] * layer[3]
    literal = (softmax(own.predict(after)) - softmax(own.predict(before)))[:, LABEL].mean()
    assert truth.effect.probability == pytest.approx(literal, abs=1e-6)
    assert truth.effect.n == len(indices)
    assert measure_pasted(own, planted_in(images), LABEL, indices) == truth.effect


def test_an_effect_outside_the_interval_is_said(images):
    case = measured(images)
    artifact = case.proof.added[0]
    weak = replace(artifact, effect=replace(artifact.effect, probability=0.0))
    case = replace(case, proof=replace(case.proof, added=(weak, *case.proof.added[1:])))
    found = compare_with_planted(bench(images), case, planted_in(images), LISTED)
    assert found.within is False
    assert "lies outside this interval" in truth_sentence(found)


def test_nothing_is_known_of_another_class_and_without_a_layer(images):
    planted = planted_in(images)
    assert compare_with_planted(bench(images), troubled(), planted, LISTED) is None
    other = SimpleNamespace(target=0, carriers=planted.carriers)
    assert compare_with_planted(bench(images), measured(images), other, LISTED) is None


def test_without_a_proof_only_the_place_is_compared(images):
    case = Case(LABEL, CLASSES[LABEL], isolated=isolated(images))
    found = compare_with_planted(bench(images), case, planted_in(images), LISTED)
    assert (found.effect, found.within) == (None, None)
    assert "itself changes" not in truth_sentence(found)


def test_where_no_sample_carries_both_there_is_no_overlap_to_speak_of(images):
    right = isolated(images)
    wrong = replace(right, members=~images.carriers[LISTED], masks=~right.masks)
    found = compare_with_planted(bench(images), Case(LABEL, "bee", isolated=wrong), planted_in(images), LISTED)
    assert found.right == 0
    assert math.isnan(found.iou)
    assert "IoU" not in truth_sentence(found)
    assert "nan" not in truth_sentence(found)


def test_the_overlap_is_that_of_the_pixels(images):
    planted, found = planted_in(images), isolated(images)
    layer = found.layers[0].clone()
    layer[3, : SIDE // 2] = 0
    half = replace(found, layers=(layer,))
    ours, theirs = layer[3].numpy() > 0.5, planted.layer(0, (SIDE, SIDE))[3].numpy() > 0.5
    inside = sum(bool(a) and bool(b) for a, b in zip(ours.ravel(), theirs.ravel(), strict=True))
    either = sum(bool(a) or bool(b) for a, b in zip(ours.ravel(), theirs.ravel(), strict=True))
    assert overlap(half, planted, LISTED, np.array([1, 3])) == pytest.approx(inside / either)
    free = replace(half, kind="free", masks=np.broadcast_to(ours, (len(LISTED), SIDE, SIDE)))
    assert overlap(free, planted, LISTED, np.array([1, 3])) == pytest.approx(inside / either)
    np.testing.assert_array_equal(covered(np.array([[0.2, 0.4]])), [[False, True]])
