"""From the groups of a class to cases: everything isolated, the best chosen, and tested on other samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from first_isolated import isolate_first
from sklearn.datasets import load_digits
from toy_bench import CLASSES, SIDE, TARGET, bench_of, exact_weights, images_of, pattern_layer

from unhans.effects import WHOLE, Bench, Candidate, Measurement, Plan, Sample, Untested, examine_class
from unhans.effects import class_examination as module
from unhans.effects.interventions.addition import PATCH
from unhans.isolation.fixed import GAP
from unhans.isolation.fixed.membership import refine_membership
from unhans.report.text import isolated_sentence, untested_sentence, verdict_grounds

EACH = 120
SECOND = (slice(10, 14), slice(1, 5))


def second_layer():
    """The mirrored pattern, at another place."""
    layer = torch.zeros(4, SIDE, SIDE)
    layer[:, SECOND[0], SECOND[1]] = pattern_layer()[:, 2:6, 9:13].flip(2)
    return layer


def second_weights(strength=0.5):
    weights = torch.zeros(len(CLASSES), 3, SIDE, SIDE)
    own = second_layer()[:3, SECOND[0], SECOND[1]]
    weights[TARGET, :, SECOND[0], SECOND[1]] = strength * (own - own.mean((1, 2), keepdim=True))
    return weights


def smooth(n, seed):
    coarse = torch.from_numpy(np.random.default_rng(seed).random((n, 3, 4, 4), dtype=np.float32))
    return torch.nn.functional.interpolate(coarse, size=SIDE, mode="bilinear") * 0.6 + 0.2


def world(share=0.4, second=0.0, weights=None, seed=0):
    """Four classes of smooth noise; parts of the target class carry one pattern or the other."""
    n = EACH * len(CLASSES)
    images, labels = smooth(n, seed), np.arange(n) % len(CLASSES)
    index = np.flatnonzero(labels == TARGET)
    order = np.random.default_rng(seed + 1).permutation(EACH)
    first, other = np.zeros(EACH, bool), np.zeros(EACH, bool)
    first[order[: round(share * EACH)]] = True
    other[order[round(share * EACH) :][: round(second * EACH)]] = True
    for carriers, layer in ((first, pattern_layer()), (other, second_layer())):
        rows = torch.from_numpy(index[carriers])
        images[rows] = images[rows] * (1 - layer[3]) + layer[:3] * layer[3]
    weights = exact_weights(3.0) if weights is None else weights
    return bench_of(weights, images, labels), images, index, first, other


def examined(made, members, plan=None, **options):
    bench, images, index = made[:3]
    heatmaps = np.abs(bench.explain(images[index], TARGET)) + 1e-3
    sample = Sample(images[index], index, heatmaps, TARGET, CLASSES[TARGET])
    candidates = [Candidate(f"view {i}", one) for i, one in enumerate(members)]
    others = np.flatnonzero(bench.labels != TARGET)
    return examine_class(bench, sample, candidates, plan or Plan(samples=120), others, **options)


def random_groups(count=3, share=0.3, seed=9):
    rng = np.random.default_rng(seed)
    return [rng.permutation(EACH) < share * EACH for _ in range(count)]


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_mark_that_the_network_uses_is_proven(share):
    made = world(share)
    case = examined(made, [made[3]])[0]
    assert case.proven
    assert case.isolated.kind in {"fixed", "free"}  # whichever copy of it does more
    assert case.view == "view 0"
    assert (case.isolated.members == made[3]).mean() >= 0.95


def test_the_mark_is_found_among_candidates_that_share_nothing():
    made = world()
    cases = examined(made, [*random_groups(2), made[3]])
    assert cases[0].proven
    assert cases[0].view == "view 2"
    assert sum(case.proven for case in cases) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_clean_class_is_never_proven(seed):
    made = world(share=0, seed=seed)
    assert not any(case.proven for case in examined(made, random_groups(4, seed=seed)))


def test_a_mark_that_the_network_does_not_use_is_not_proven():
    made = world(weights=torch.zeros(len(CLASSES), 3, SIDE, SIDE))
    assert not any(case.proven for case in examined(made, [made[3]]))


def test_two_artifacts_of_one_class_are_both_proven():
    made = world(0.35, 0.35, exact_weights(3.0) + second_weights(3.0))
    cases = examined(made, [made[3], made[4]])
    assert [case.proven for case in cases] == [True, True]
    found = {case.view: case.isolated.members for case in cases}
    np.testing.assert_array_equal(found["view 0"], made[3])
    np.testing.assert_array_equal(found["view 1"], made[4])
    assert len(examined(made, [made[3], made[4]], Plan(tests=1, samples=120))) == 1


def test_the_same_artifact_found_twice_is_tested_once():
    made = world()
    assert sum(case.proven for case in examined(made, [made[3], made[3].copy()])) == 1


@pytest.mark.parametrize(("share", "lent"), [(0.77, True), (0.95, False)])
def test_an_artifact_on_nearly_all_samples_is_held_against_other_classes(share, lent):
    """Six samples without it are too few to lend patches for the control, 28 are enough; this is said."""
    made = world(share)
    case = examined(made, [made[3]])[0]
    assert case.proven
    assert ("patch of the class" in [trial.name for trial in case.proof.added]) is lent
    assert (
        "The patch of the class is left out: too few samples" in verdict_grounds(case.proof)["Controls"]
    ) is not lent
    assert case.proof.added[0].effect.probability > 0.5
    assert case.isolated.kind == "fixed"
    np.testing.assert_array_equal(case.isolated.members, made[3])
    assert len(case.isolated.members) == len(case.isolated.masks) == EACH


def test_what_no_view_proposes_is_looked_for_in_the_whole_class():
    (case,) = examined(world(0.95), [])
    assert (case.proven, case.view) == (True, WHOLE)
    assert "patch of the class" not in [trial.name for trial in case.proof.added]


def test_a_class_that_shares_nothing_says_so():
    (case,) = examined(world(0), [])
    assert [each.values["members"] for each in case.failures if each.reason == "nothing at a fixed place"] == [EACH]
    assert (case.isolated, case.proof, case.proven) == (None, None, False)


def test_what_the_whole_class_carries_is_proven():
    (case,) = examined(world(1.0), [])
    assert (case.proven, case.view) == (True, WHOLE)
    assert case.isolated.members.all()


def test_what_is_not_isolated_is_said_with_its_reason():
    made = world()
    (case,) = examined(made, [np.arange(EACH) == 3])
    assert case.failures
    assert (case.isolated, case.proof, case.view) == (None, None, "view 0")


def test_no_more_candidates_are_looked_at_than_planned():
    made = world()
    cases = examined(made, [*random_groups(2), made[3]], Plan(candidates=2, samples=120))
    assert not any(case.proven for case in cases)


def test_what_is_chosen_on_is_not_tested_on(monkeypatch):
    made, chosen = world(0.35, 0.35, exact_weights(3.0) + second_weights(3.0)), []
    normal = module.measure

    def seen(bench, indices, *rest):
        chosen.append(np.asarray(indices))
        return normal(bench, indices, *rest)

    monkeypatch.setattr(module, "measure", seen)
    cases = examined(made, [made[3], made[4]])
    assert len(chosen) == 1
    assert 0 < len(chosen[0]) <= module.CHOSEN_ON
    assert not (made[0].labels[chosen[0]] == TARGET).any()
    for case in cases:
        tested = case.proof.added[0].indices
        assert len(tested) == 120
        assert not np.intersect1d(tested, chosen[0]).size
        assert not (made[0].labels[tested] == TARGET).any()


@pytest.mark.parametrize("count", [3, 10, 60, 300])
def test_the_parts_cover_the_others_and_do_not_meet(count):
    bench = bench_of(exact_weights(), images_of(400))
    others = np.flatnonzero(bench.labels != TARGET)[:count]
    chosen, tested = module._parts(bench, others, Plan())
    assert not np.intersect1d(chosen, tested).size
    np.testing.assert_array_equal(np.union1d(chosen, tested), others)


def test_without_other_classes_nothing_can_be_measured():
    bench, images, index, first, _ = world()
    sample = Sample(images[index], index, np.ones((EACH, SIDE, SIDE)), TARGET, CLASSES[TARGET])
    with pytest.raises(ValueError, match="sample"):
        examine_class(bench, sample, [Candidate("a", first)], Plan(), np.array([], dtype=np.int64))


def test_the_same_class_has_the_same_cases():
    made = world()
    one, other = (examined(made, [made[3]])[0] for _ in range(2))
    assert one.proof.added[0].effect == other.proof.added[0].effect
    assert isinstance(made[0], Bench)


def written_digits(names=(1, 0, 2, 6)):
    """Digits that lie at the same place, and a network that compares an image with the mean of each class."""
    pictures, digits = load_digits(return_X_y=True)
    chosen = np.isin(digits, names)
    small = torch.from_numpy(pictures[chosen] / 16).float().reshape(-1, 1, 8, 8).expand(-1, 3, -1, -1)
    images = torch.nn.functional.interpolate(small, size=SIDE, mode="bilinear")
    labels = np.array([names.index(digit) for digit in digits[chosen]])
    means = torch.stack([images[labels == label].mean(0) for label in range(len(names))])
    return bench_of(0.15 * (means - means.mean(0)), images, labels), images, np.flatnonzero(labels == TARGET)


def test_what_an_aligned_object_has_at_a_place_is_no_artifact(monkeypatch):
    made = written_digits()
    plain = module.ALIGNED
    monkeypatch.setattr(module, "ALIGNED", 0.0)
    assert examined(made, [])[0].isolated is not None  # the object itself would be taken for a mark
    monkeypatch.setattr(module, "ALIGNED", plain)
    (case,) = examined(made, [])
    assert case.isolated is None
    assert plain in [each.values.get("least") for each in case.failures]


def test_one_image_that_differs_from_all_others_is_no_group():
    images = smooth(60, 0)
    for seed in range(8):
        images[59] = torch.from_numpy(np.random.default_rng(seed).random((3, SIDE, SIDE), dtype=np.float32))
        cluster = np.random.default_rng(seed + 100).permutation(60) < 15
        assert refine_membership(images, cluster, seed).split.gap < GAP


def test_what_does_little_never_goes_before_what_does_much(monkeypatch):
    """The gain beyond controls orders what has a gain; what has none comes after it."""
    made = world()
    one = module._Found(Candidate("view", made[3]), replace_members(made), lent=False)
    found = [one, *(replace(one, isolated=replace(one.isolated, members=rng_members(k))) for k in (1, 2))]
    gains = {id(each.isolated): gain for each, gain in zip(found, (0.4, 0.009, 0.008), strict=True)}
    monkeypatch.setattr(module, "measure", lambda bench, indices, changes: _measured(changes))
    monkeypatch.setattr(module, "pasted", lambda isolated: gains[id(isolated)])
    monkeypatch.setattr(module, "differences", lambda before, after, label: np.array([after]))
    monkeypatch.setattr(module, "_beyond_controls", lambda bench, sample, each, *rest: replace(each, gain=-0.02))
    sample = Sample(made[1], made[2], np.ones((1, 1, 1)), TARGET, "bee")
    kept = module._best(made[0], sample, found, Plan(tests=1), np.arange(3))
    assert kept[0].isolated is one.isolated


def _measured(changes):
    return Measurement(np.arange(1), None, changes)


def replace_members(made):
    return isolate_first(made[1][made[2]], np.ones((EACH, SIDE, SIDE)), made[3], kind="fixed")


def rng_members(seed):
    return np.random.default_rng(seed).permutation(EACH) < 20


def test_a_whole_class_tells_its_own_numbers_and_lends_its_own_patches():
    made = world(0.7)
    (case,) = examined(made, [])
    assert case.view == WHOLE
    assert f"of {EACH} images carry it" in isolated_sentence(case.isolated)
    assert PATCH in [trial.name for trial in case.proof.added]


def test_what_was_not_tested_of_a_class_is_said():
    made = world()
    case = examined(made, [*random_groups(2), made[3]])[0]
    assert case.untested == Untested(groups=3, silent=2, artifacts=case.untested.artifacts)
    assert untested_sentence(case.untested).startswith("Nothing was isolated from 2 of its 3 groups")
    assert untested_sentence(examined(made, [made[3]])[0].untested) == ""


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_samples_of_other_classes_are_no_error(n):
    made = world()
    bench, images, index = made[:3]
    heatmaps = np.abs(bench.explain(images[index], TARGET)) + 1e-3
    sample = Sample(images[index], index, heatmaps, TARGET, CLASSES[TARGET])
    others = np.flatnonzero(bench.labels != TARGET)[:n]
    (case,) = examine_class(bench, sample, [Candidate("view", made[3])], Plan(), others)
    assert case.proof.verdict.reason == "too few samples"
