"""What a network does with and without an artifact, against a second version image by image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from scipy.stats import t as student
from toy_bench import CLASSES, SIDE, TARGET, FixedLayer, bench_of, exact_weights, images_of, pattern_layer

from unhans.effects import draw_evenly, flip_effect
from unhans.repair import AssessmentPlan, OnBench, assess
from unhans.stats import Rate, area_of, mean_over_seeds

N, N_TRAIN = 240, 120
PLAIN = images_of(N)
SPLITS = {"train": np.arange(N_TRAIN), "val": np.arange(N_TRAIN, N)}
MASK = pattern_layer()[3].numpy() > 0.5


@dataclass(frozen=True)
class Known:
    """What is known of the pattern; clean images are those before it was planted, grey where they are inpainted."""

    source: str
    carriers: dict
    artifact: object = FixedLayer(pattern_layer())
    label: int = TARGET

    def mask(self, split, index):
        assert self.carriers[split][index]
        return MASK

    def clean(self, split, index):
        image = PLAIN[SPLITS[split][index]]
        return image if self.source == "planted" else torch.where(torch.from_numpy(MASK), 0.5, image)


def known(source="planted", train=0.5, val=0.5):
    labels = np.arange(N) % len(CLASSES)
    shares = {"train": train, "val": val}
    own = {name: np.flatnonzero(labels[SPLITS[name]] == TARGET) for name in SPLITS}
    carriers = {name: np.isin(np.arange(len(SPLITS[name])), own[name][: round(shares[name] * len(own[name]))])
                for name in SPLITS}  # fmt: skip
    return Known(source, carriers)


def weights(seed=3):
    """A network that reads each class from its own pixels, and the target from the pattern too."""
    found = torch.from_numpy(default_rng(seed).normal(size=(len(CLASSES), 3, SIDE, SIDE)) * 0.05).float()
    return found + exact_weights(0.3)


def plan_of(bench, affected, splits=SPLITS, **options):
    return AssessmentPlan(OnBench(bench, affected, splits), **options)


def assessed(*arguments, **options):
    return assess(plan_of(*arguments, **options))


class Setting:
    """A bench whose carriers hold the pattern, and counts of what is read and predicted."""

    def __init__(self, affected, unreadable=()):
        self.affected, self.network = affected, weights()
        self.planted = np.concatenate([SPLITS[name][affected.carriers[name]] for name in SPLITS])
        self.images = images_of(N, carriers=self.planted)
        self.read, self.predicted, self.explained = [], 0, 0
        labels = np.arange(N) % len(CLASSES)
        bench = bench_of(self.network, self.images, labels, unreadable=unreadable)
        self.bench = replace(bench, read=self._read(bench), predict=self._predict(bench), explain=self._explain(bench))

    def _read(self, bench):
        def read(indices):
            self.read += list(indices)
            return bench.read(indices)

        return read

    def _predict(self, bench):
        def predict(images):
            self.predicted += len(images)
            return bench.predict(images)

        return predict

    def _explain(self, bench):
        def explain(images, target):
            self.explained += len(images)
            return bench.explain(images, target)

        return explain


def slowly(setting, affected, unreadable=(), samples=500):
    """The same, one image at a time, written out."""
    layer, labels = pattern_layer(), setting.bench.labels
    clean_right, added_right, removed_right, shares = {}, {}, [], []
    before, after, kept = [], [], []
    for own, index in enumerate(SPLITS["val"]):
        if index in unreadable:
            continue
        carries = affected.carriers["val"][own]
        image = affected.clean("val", own) if carries else setting.images[index]
        logits = (image.double() * setting.network.double()).sum((1, 2, 3)).numpy()
        if carries:
            removed_right.append(logits.argmax() == labels[index])
            relevance = (setting.images[index] * setting.network[TARGET]).sum(0).clamp(min=0).numpy()
            shares.append(relevance[MASK].sum() / relevance.sum())
        if carries and affected.source != "planted":
            continue
        pasted = image * (1 - layer[3]) + layer[:3] * layer[3]
        changed = (pasted.double() * setting.network.double()).sum((1, 2, 3)).numpy()
        clean_right.setdefault(labels[index], []).append(logits.argmax() == labels[index])
        added_right.setdefault(labels[index], []).append(changed.argmax() == labels[index])
        before, after, kept = [*before, logits], [*after, changed], [*kept, index]
    others = [row for row, index in enumerate(kept) if labels[index] != TARGET]
    chosen = draw_evenly(labels, np.array(kept)[others], samples, 0)
    rows = [row for row in others if kept[row] in chosen]
    effect = flip_effect(np.array(before)[rows], np.array(after)[rows], TARGET)
    return clean_right, added_right, removed_right, shares, effect


@pytest.mark.parametrize("source", ["planted", "isolated", "picture"])
@pytest.mark.parametrize("unreadable", [(), (121, 125, 130)])
def test_every_number_is_that_of_the_second_version(source, unreadable):
    affected = known(source)
    setting = Setting(affected, unreadable)
    found = assessed(setting.bench, affected, SPLITS, samples=40)
    clean, added, removed, shares, effect = slowly(setting, affected, unreadable, samples=40)
    for rate, right in ((found.clean, clean), (found.added, added)):
        assert (rate.correct, rate.n) == (sum(map(sum, right.values())), sum(map(len, right.values())))
        hits = np.unpackbits(np.frombuffer(bytes.fromhex(rate.hits), np.uint8))[: rate.n]
        kept = [index for index in SPLITS["val"] if index not in unreadable]
        if source != "planted":
            kept = [index for index in kept if not affected.carriers["val"][index - SPLITS["val"][0]]]
        order = [list(right[label]) for label in sorted(right)]
        assert [list(hits[setting.bench.labels[kept] == label]) for label in sorted(right)] == order
    assert found.groups == {
        (CLASSES[label], pasted): Rate(sum(right[label]), len(right[label]))
        for label in clean
        for pasted, right in ((False, clean), (True, added))
    }
    assert found.worst[1].share == min(rate.share for rate in found.groups.values())
    assert found.removed == Rate(sum(removed), len(removed))
    assert (found.removed_from, found.relevance_on) == ("val", "val")
    assert found.relevance.mean == pytest.approx(np.mean(shares), rel=1e-5)
    assert found.relevance.n == len(removed)
    assert found.effect.n == 40
    assert found.effect.probability == pytest.approx(effect.probability, rel=1e-5)
    assert found.effect.share == effect.share
    assert found.left_out == (0 if source == "planted" else 15)


def test_the_toy_network_is_fooled_and_so_is_the_assessment():
    found = assessed(Setting(known()).bench, known(), SPLITS)
    assert found.effect.probability_interval[0] > 0.1
    assert found.worst[0][1], "the worst group must be one with the artifact added"


def test_each_image_is_read_once_and_the_progress_adds_up():
    for affected in (known("planted"), known("isolated"), known("planted", val=0), known("isolated", 0, 0)):
        setting, done = Setting(affected), []
        plan = plan_of(setting.bench, affected, most_explained=5)
        assess(plan, done.append)
        carriers = SPLITS["val"][affected.carriers["val"]]
        for split in SPLITS:
            once = [index for index in setting.read if index in SPLITS[split] and index not in setting.planted]
            assert len(once) <= len(set(once)) + 5, "only what is explained is read again"
        assert sum(done) == plan.work
        assert sum(done) == setting.predicted + setting.explained
        left = 0 if affected.source == "planted" else len(carriers)
        again = left or (0 if len(carriers) else int(affected.carriers["train"].sum()))
        assert setting.predicted == 2 * (len(SPLITS["val"]) - left) + again


def test_training_carriers_stand_in_where_no_validation_sample_carries_it():
    affected = known("isolated", val=0)
    setting = Setting(affected)
    found = assessed(setting.bench, affected, SPLITS)
    right = []
    for own in np.flatnonzero(affected.carriers["train"]):
        logits = (affected.clean("train", own).double() * setting.network.double()).sum((1, 2, 3))
        right.append(int(logits.argmax()) == TARGET)
    assert found.removed == Rate(sum(right), len(right))
    assert (found.removed_from, found.relevance_on, found.left_out) == ("train", "train", 0)
    alone = assessed(
        setting.bench, replace(affected, carriers={"val": affected.carriers["val"]}), {"val": SPLITS["val"]}
    )
    assert (alone.removed, alone.removed_from, alone.relevance_on) == (None, None, "pasted")
    assert alone.clean == found.clean


def test_without_carriers_the_relevance_is_that_of_pasted_images_of_the_class():
    affected = known("picture", 0, 0)
    setting = Setting(affected)
    found = assessed(setting.bench, affected, SPLITS, most_explained=7)
    own = SPLITS["val"][setting.bench.labels[SPLITS["val"]] == TARGET]
    assert (found.relevance.n, found.relevance_on) == (7, "pasted")
    pasted = torch.lerp(setting.images[own], pattern_layer()[:3], pattern_layer()[3:])
    relevance = (pasted * setting.network[TARGET]).sum(1).clamp(min=0).numpy()
    shares = relevance[:, MASK].sum(1) / relevance.sum((1, 2))
    low, high = sorted(shares)[:7], sorted(shares)[-7:]
    assert np.mean(low) <= found.relevance.mean <= np.mean(high)
    everyone = assessed(setting.bench, affected, SPLITS, most_explained=1000)
    assert everyone.relevance.mean == pytest.approx(shares.mean(), rel=1e-5)


def test_fewer_images_are_drawn_evenly_and_the_same_again():
    setting = Setting(known())
    found = assessed(setting.bench, known(), SPLITS, images=20)
    assert {rate.n for rate in found.groups.values()} == {5}
    assert found == assessed(setting.bench, known(), SPLITS, images=20)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": np.arange(N_TRAIN)}, "needs the indices of the split 'val', got train"),
        ({"val": np.arange(7)}, "known of all 7 samples of split 'val', got 120"),
    ],
)
def test_splits_that_do_not_fit_are_refused(splits, message):
    with pytest.raises(ValueError, match=message):
        assessed(Setting(known()).bench, known(), splits)


def test_without_images_of_other_classes_there_is_no_effect():
    setting = Setting(known())
    alone = replace(setting.bench, labels=np.full(N, TARGET))
    with pytest.raises(ValueError, match="needs validation images of classes other than 1, got none"):
        assessed(alone, known(), SPLITS)


def test_without_readable_images_nothing_is_measured():
    with pytest.raises(ValueError, match="needs samples that can be read, got none of 120"):
        assessed(Setting(known(), unreadable=range(N_TRAIN, N)).bench, known(), SPLITS)


# The area under the ROC curve ----------------------------------------------------------------------------------------


def test_the_area_counts_pairs_and_its_variance_is_delongs():
    random = default_rng(0)
    positive, negative = random.integers(0, 9, 25) + 2.0, random.integers(0, 9, 40) + 0.0
    pairs = np.array([[(a > b) + (a == b) / 2 for b in negative] for a in positive])
    found = area_of(positive, negative)
    assert found.value == pytest.approx(pairs.mean())
    error = np.sqrt(pairs.mean(1).var(ddof=1) / 25 + pairs.mean(0).var(ddof=1) / 40)
    slope = found.value * (1 - found.value)
    logits = np.log(found.value / (1 - found.value)) + 1.959964 * error / slope * np.array([-1, 1])
    np.testing.assert_allclose(found.interval, 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_its_interval_covers_the_truth():
    truth, hits = 0.7602499, 0  # Φ(1 / √2) of two normal distributions a standard deviation apart
    for seed in range(400):
        random = default_rng(seed)
        low, high = area_of(random.normal(1, 1, 30), random.normal(0, 1, 40)).interval
        hits += low <= truth <= high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(
    ("positive", "negative", "value"), [([3, 4], [1, 2], 1.0), ([0], [1, 2], 0.0), ([1], [1], 0.5)]
)
def test_few_or_separated_samples_have_a_wide_interval(positive, negative, value):
    found = area_of(np.array(positive, float), np.array(negative, float))
    assert found.value == value
    assert 0 <= found.interval[0] <= value <= found.interval[1] <= 1
    assert found.interval[1] - found.interval[0] > 0.3


def test_an_area_needs_both_sides():
    with pytest.raises(ValueError, match="needs samples on both sides, got 0 and 3"):
        area_of(np.zeros(0), np.zeros(3))


# Several seeds -------------------------------------------------------------------------------------------------------


def test_the_interval_over_seeds_is_students():
    values = [0.8, 0.9, 0.95]
    mean, (low, high) = mean_over_seeds(values)
    half = student.ppf(0.975, 2) * np.std(values, ddof=1) / np.sqrt(3)
    assert (mean, low, high) == pytest.approx((np.mean(values), np.mean(values) - half, np.mean(values) + half))
    assert mean_over_seeds(values, bounds=(0, 1))[1] == pytest.approx((low, 1.0))
    assert mean_over_seeds([0.5, 0.5]) == (0.5, (0.5, 0.5))


def test_one_seed_says_nothing():
    assert mean_over_seeds([0.5], bounds=(0, 1)) == (0.5, (0, 1))
    assert mean_over_seeds([0.5])[1] == (-np.inf, np.inf)


@pytest.mark.parametrize("values", [[], [0.5, float("nan")]])
def test_a_mean_over_seeds_needs_finite_numbers(values):
    with pytest.raises(ValueError, match="at least one finite number"):
        mean_over_seeds(values)


def test_a_perfect_order_is_as_certain_as_its_smaller_side():
    area = area_of(np.array([5.0, 6, 7, 8]), np.arange(4.0).repeat(3))
    assert area.value == 1
    assert area.interval[0] ** 4 == pytest.approx(0.025), "a chance at which four of four are seen once in forty times"
    assert area_of(np.arange(4.0), np.arange(5.0, 25)).interval == (0, pytest.approx(1 - 0.025**0.25))
