import numpy as np
import pytest
import torch
from toy_bench import (
    COLUMNS,
    ROWS,
    SIDE,
    TARGET,
    FixedLayer,
    bench_of,
    exact_weights,
    images_of,
    pattern,
    pattern_layer,
)

from unhans.artifacts import Patch, PlacedArtifact, layers_of
from unhans.effects import draw_evenly, drawn, measure
from unhans.effects.interventions import add
from unhans.effects.interventions.addition import _COLOURS
from unhans.effects.interventions.controls import draw_donors, random_colour

OTHERS = np.array([i for i in range(120) if i % 4 != TARGET])
UNAFFECTED = np.arange(TARGET, 200, 4)


def added(bench, layer=None, indices=OTHERS, unaffected=UNAFFECTED):
    artifact = FixedLayer(pattern_layer() if layer is None else layer)
    return {trial.name: trial for trial in add(bench, artifact, TARGET, indices, unaffected, (SIDE, SIDE))}


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_the_change_of_the_logit_is_exact(alpha):
    """x → (1 − α) x + α c moves the logit w·x by α w·(c − x), worked out pixel by pixel."""
    images, weights = images_of(), exact_weights()
    trials = added(bench_of(weights, images), pattern_layer(alpha))
    colour = pattern().mean((1, 2))
    slow, slow_mean = [], []
    for index in OTHERS:
        area = images[index, :, ROWS, COLUMNS].double()
        own = weights[TARGET, :, ROWS, COLUMNS].double()
        slow.append(alpha * float((own * (pattern() - area)).sum()))
        slow_mean.append(alpha * float((own * (colour[:, None, None] - area)).sum()))
    assert trials["artifact"].effect.logit == pytest.approx(np.mean(slow), abs=1e-5)
    assert trials["mean colour"].effect.logit == pytest.approx(np.mean(slow_mean), abs=1e-5)
    assert trials["artifact"].indices.tolist() == OTHERS.tolist()


class Mixed(FixedLayer):
    """Every third layer has one colour."""

    def layer(self, index, size):
        layer = super().layer(index, size).clone()
        if index % 3 == 0:
            layer[:3] = 0.25
        return layer


def test_one_control_of_colour_is_the_same_for_all_samples():
    images, weights = images_of(), exact_weights()
    bench, artifact = bench_of(weights, images), Mixed(pattern_layer())
    trials = add(bench, artifact, TARGET, OTHERS, UNAFFECTED, (SIDE, SIDE), lambda images: None)
    found = {trial.name: trial.effect.logit for trial in trials}
    assert "mean colour" not in found
    slow = []
    for index in map(int, OTHERS):
        layer = random_colour(artifact.layer(index, (SIDE, SIDE)), np.random.default_rng([0, _COLOURS, index]))
        pasted = images[index] * (1 - layer[3]) + layer[:3] * layer[3]
        slow.append(float((weights[TARGET].double() * (pasted.double() - images[index].double())).sum()))
    assert found["random colour"] == pytest.approx(np.mean(slow), abs=1e-5)


def test_the_patch_comes_from_unaffected_samples_of_the_class():
    """Each donor has a value of its own in the area, so that it can be read off the pasted images."""
    images = torch.zeros(200, 3, SIDE, SIDE)
    images[UNAFFECTED] = (torch.arange(len(UNAFFECTED)) + 1)[:, None, None, None] / 100
    weights = torch.zeros(4, 3, SIDE, SIDE)
    weights[TARGET, 0, ROWS, COLUMNS] = 1 / 16
    bench = bench_of(weights, images)
    patch = added(bench)["patch of the class"]
    slow = np.array([float(draw_donors(bench, UNAFFECTED, 12, np.array([index]))[0][0, 0, 3, 10]) for index in OTHERS])
    assert patch.effect.logit == pytest.approx(slow.mean(), abs=1e-6)
    assert len(set(slow)) > 20
    assert set(np.rint(slow * 100)) <= set(range(1, len(UNAFFECTED) + 1))


def test_other_classes_is_the_one_that_gains_most():
    weights = exact_weights()
    weights[3] = weights[TARGET]  # dog answers to the pattern as well
    trials = added(bench_of(weights))
    other = trials["other classes"]
    assert other.detail == "dog"
    assert set(other.indices) == {index for index in OTHERS if index % 4 != 3}
    assert 0.1 < other.effect.probability < 0.5


def test_a_control_that_cannot_be_made_is_left_out():
    assert list(added(bench_of(exact_weights()), unaffected=np.array([], int))) == [
        "artifact",
        "mean colour",
        "area averaged",
        "other classes",
    ]
    two = bench_of(exact_weights()[:2], labels=np.arange(200) % 2)
    assert "other classes" not in added(two, indices=np.arange(0, 50, 2))


def test_the_pixels_under_the_artifact_are_averaged():
    """Against a literal version: what lies under the layer becomes its own alpha-weighted mean."""
    weights = torch.from_numpy(np.random.default_rng(3).normal(size=(4, 3, SIDE, SIDE))).float() * 0.1
    bench, layer = bench_of(weights), pattern_layer(alpha=0.7)
    trials, slow = added(bench, layer), []
    alpha = layer[3]
    for image in images_of()[trials["area averaged"].indices]:
        mean = (image * alpha).sum((1, 2)) / alpha.sum()
        averaged = image * (1 - alpha) + mean[:, None, None] * alpha
        slow.append(float(((averaged - image) * weights[TARGET]).sum()))
    assert trials["area averaged"].effect.logit == pytest.approx(np.mean(slow), abs=1e-4)


def test_an_artifact_of_one_colour_is_held_against_other_colours():
    layer = pattern_layer()
    layer[:3] = 1.0
    weights = torch.zeros(4, 3, SIDE, SIDE)
    weights[TARGET, :, ROWS, COLUMNS] = 0.2  # a network that answers to white
    trials = added(bench_of(weights, bias=-6.0), layer)
    assert "mean colour" not in trials
    assert trials["artifact"].effect.probability > trials["random colour"].effect.probability + 0.1
    np.testing.assert_array_equal(
        trials["random colour"].differences, added(bench_of(weights, bias=-6.0), layer)["random colour"].differences
    )


def test_batches_and_their_order_do_not_matter():
    images, weights = images_of(), exact_weights()
    usual = added(bench_of(weights, images))
    rng = np.random.default_rng(0)
    for size in (1, 7, 200):
        shuffled = added(bench_of(weights, images, batch_size=size), indices=rng.permutation(OTHERS))
        for name, trial in usual.items():
            order = np.argsort(shuffled[name].indices)
            np.testing.assert_allclose(shuffled[name].differences[order], trial.differences, atol=1e-9)


def test_another_seed_draws_other_patches_and_the_same_seed_the_same():
    one, two, other = (added(bench_of(exact_weights(), seed=seed)) for seed in (0, 0, 1))
    assert one["patch of the class"].differences.tolist() == two["patch of the class"].differences.tolist()
    assert one["patch of the class"].differences.tolist() != other["patch of the class"].differences.tolist()
    assert one["artifact"].differences.tolist() == other["artifact"].differences.tolist()


def test_what_cannot_be_read_is_left_out():
    gone = {0, 2, 3, 100, *UNAFFECTED[::2]}
    trials = added(bench_of(exact_weights(), unreadable=gone))
    assert trials["artifact"].effect.n == len(OTHERS) - 4
    assert not gone & set(trials["artifact"].indices)
    with pytest.raises(ValueError, match="donor of pixels must be readable, got 16 that are not"):
        added(bench_of(exact_weights(), unreadable=set(UNAFFECTED)))
    with pytest.raises(ValueError, match="samples that can be read, got none of 90"):
        measure(bench_of(exact_weights(), unreadable=set(range(200))), OTHERS, {}, lambda images: None)


def test_advance_counts_every_image_that_is_predicted():
    seen = []
    measure(bench_of(exact_weights()), OTHERS, {"same": lambda images, indices: images}, advance=seen.append)
    assert sum(seen) == 2 * len(OTHERS)


def test_a_placed_artifact_lies_where_it_lies_on_each_sample(tmp_path):
    from PIL import Image

    Image.new("RGBA", (4, 4), "red").save(tmp_path / "red.png")
    patch: PlacedArtifact = Patch("bee", tmp_path / "red.png", 0.25, placement="random_position")
    layers = layers_of(patch, np.array([3, 9]), (SIDE, SIDE))
    assert torch.equal(layers[1], patch.layer(9, (SIDE, SIDE)))
    assert not torch.equal(layers[0], layers[1])


def test_a_layer_of_another_size_is_one_sentence():
    with pytest.raises(ValueError, match=r"of the image's size: expected \(4, 16, 16\), got \(4, 8, 8\)"):
        added(bench_of(exact_weights()), torch.rand(4, 8, 8))


def test_samples_are_drawn_evenly_over_the_classes():
    labels = np.repeat([0, 1, 2, 3], [300, 50, 10, 40])
    pool = np.flatnonzero(labels != 1)
    counts = np.bincount(labels[draw_evenly(labels, pool, 60, 0)], minlength=4)
    assert counts.tolist() == [25, 0, 10, 25]
    assert draw_evenly(labels, pool, 60, 0).tolist() == draw_evenly(labels, pool, 60, 0).tolist()
    assert draw_evenly(labels, pool, 60, 0).tolist() != draw_evenly(labels, pool, 60, 1).tolist()
    assert set(draw_evenly(labels, pool, 30, 0)) < set(draw_evenly(labels, pool, 60, 0))
    assert draw_evenly(labels, pool, 10_000, 0).tolist() == pool.tolist()
    with pytest.raises(ValueError, match="must be positive, got 0"):
        draw_evenly(labels, pool, 0, 0)


def test_the_last_round_favours_no_class():
    labels = np.repeat(np.arange(10), 20)
    seen = np.zeros(10)
    for seed in range(300):
        seen += np.bincount(labels[draw_evenly(labels, np.arange(200), 5, seed)], minlength=10)
    assert seen.min() > 100  # 150 each
    assert seen.sum() == 1500


def test_affected_samples_are_drawn_without_repetition():
    found = drawn(np.array([5, 9, 1, 5, 7]), 3, 0)
    assert len(set(found)) == 3
    assert drawn(np.array([5, 9, 1]), 10, 0).tolist() == [1, 5, 9]
