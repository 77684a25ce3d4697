"""The direction of a group in feature space: closed forms on a linear network, and what follows of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_bench import CLASSES, TARGET, bench_of

from unhans.effects import Candidate, Plan, Sample, examine_class, reason_of, state_of
from unhans.effects.interventions import feature_effect
from unhans.effects.interventions.feature_effect import CLASS, DIRECTION, FEWEST, PAIR

EACH, CHANNELS = 160, 6
WEIGHTS = torch.zeros(len(CLASSES), 3, 16, 16)
OTHERS = np.flatnonzero(np.arange(EACH * len(CLASSES)) % len(CLASSES) != TARGET)


class Linear:
    """Features that are drawn for each image and known by its first pixel; logits linear in them."""

    layer = "made up"

    def __init__(self, features, weights):
        self.features, self.weights = features, weights

    def means(self, images):
        return self.features[(images[:, 0, 0, 0] * 1024).round().long().numpy()]

    def moved(self, images, shifts):
        return (self.means(images) + shifts) @ self.weights.T


def world(step, strength, seed=0):
    """A class of which a third has `step` more of the first feature, which the class's logit has `strength` times."""
    n = EACH * len(CLASSES)
    labels = np.arange(n) % len(CLASSES)
    index = np.flatnonzero(labels == TARGET)
    features = np.random.default_rng(seed).standard_normal((n, CHANNELS))
    members = np.arange(EACH) % 3 == 0
    features[index[members], 0] += step
    features[index, 1] += 1.0  # what the class is known by
    weights = np.zeros((len(CLASSES), CHANNELS))
    weights[TARGET, 0], weights[TARGET, 1] = strength, 0.5
    space = Linear(features, weights)
    images = torch.rand(n, 3, 16, 16)
    images[:, 0, 0, 0] = torch.arange(n) / 1024
    made = bench_of(WEIGHTS, images, labels)
    predict = lambda batch: space.moved(batch, np.zeros((len(batch), CHANNELS)))  # noqa: E731
    return replace(made, predict=predict, features=lambda: space), space, images, index, members


def found_in(made, members=None):
    bench, _, _, index, own = made
    return feature_effect(bench, TARGET, index, own if members is None else members, OTHERS[1::2], OTHERS[::2])


def test_what_the_network_uses_is_shown_and_the_numbers_are_those_of_the_formula():
    made = world(step=4.0, strength=1.0)
    _bench, space, _images, index, members = made
    effect = found_in(made)
    assert [each.name for each in effect.added] == [DIRECTION, PAIR, CLASS]
    assert [each.name for each in effect.removed] == ["removed", PAIR]
    assert effect.shown
    assert effect.removed[0].effect.probability < -0.2 < effect.removed[1].effect.probability
    group, rest = space.features[index[members]], space.features[index[~members]]
    expected = group.mean(0) - rest.mean(0)
    tested = effect.added[0].indices
    logits = space.features[tested] @ space.weights.T
    after = (space.features[tested] + expected) @ space.weights.T
    share = lambda z: np.exp(z[:, TARGET]) / np.exp(z).sum(1)  # noqa: E731
    assert effect.added[0].effect.probability == pytest.approx((share(after) - share(logits)).mean(), abs=0.03)


def test_no_member_both_fits_and_is_tested():
    made = world(step=4.0, strength=1.0)
    index, members = made[3:]
    removed = found_in(made).removed[0].indices
    assert set(removed) <= set(index[members])
    assert len(removed) == -(-members.sum() // 2)


@pytest.mark.parametrize(("step", "strength"), [(4.0, 0.0), (0.0, 1.0)])
def test_what_the_network_does_not_use_or_no_sample_has_is_not_shown(step, strength):
    shown = [found_in(world(step, strength, seed)).shown for seed in range(10)]
    assert not any(shown)


def test_a_group_that_only_has_more_of_the_class_is_held_against_the_class():
    made = world(step=0.0, strength=0.0)
    index, members = made[3:]
    made[1].features[index[members], 1] += 3.0
    made[1].features[index[~members], 1] += 1.0
    made[1].weights[TARGET, 1] = 2.0
    effect = found_in(made)
    assert effect.added[0].effect.probability > 0.2
    assert not effect.shown


def test_nothing_is_tested_where_it_cannot_be():
    made = world(4.0, 1.0)
    few = np.arange(EACH) < FEWEST - 1
    assert found_in(made, few) is None
    assert found_in(made, ~few) is None
    assert found_in((replace(made[0], features=lambda: None), *made[1:])) is None
    made[1].features[:] = 1.0
    assert found_in(made) is None


@pytest.mark.parametrize(("strength", "reason"), [(1.0, "features only"), (0.0, "not isolated")])
def test_a_class_of_which_nothing_is_isolated_is_tested_in_feature_space(strength, reason):
    bench, _, _images, index, members = world(4.0, strength)
    pictures = torch.rand(EACH, 3, 16, 16)
    sample = Sample(pictures, index, np.ones((EACH, 16, 16)), TARGET, CLASSES[TARGET])
    (case,) = examine_class(bench, sample, [Candidate("raw images", members)], Plan(samples=100), OTHERS)
    assert case.isolated is None
    assert case.features.layer == "made up"
    assert (state_of(case), reason_of(case)) == ("open", reason)
    assert not case.proven
