"""Region perturbation against a version that perturbs one image, region by region, and against closed forms."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from unhans.faithfulness import (
    PerturbationCurves,
    PixelRange,
    RegionGrid,
    RegionPerturbation,
    fill,
    image_keys,
    minus,
    order_regions,
    replaceable,
)

UNIT = PixelRange(torch.zeros(3), torch.ones(3))
SIZE = 7, 10


def images(n=3, size=SIZE, channels=3, seed=0):
    return torch.rand(n, channels, *size, generator=torch.Generator().manual_seed(seed))


def heatmaps(n=3, size=SIZE, seed=1):
    return np.random.default_rng(seed).normal(size=(n, *size))


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5))


def regions_of(size, side):
    """The slices of every region, row by row."""
    return [
        (slice(top, top + side), slice(left, left + side))
        for top in range(0, size[0], side)
        for left in range(0, size[1], side)
    ]


def literal_curve(network, image, heatmap, target, settings, order, repeat):
    """Scores while one region after the other is written over, and whether the predicted class has changed."""
    regions = regions_of(image.shape[1:], settings.region)
    keys = image_keys(image[None])
    if order == "random":
        ranked = order_regions(np.zeros((1, len(regions))), "random", keys, settings.seed, repeat)[0].tolist()
    else:
        sign = -1 if order == "morf" else 1
        ranked = sorted(range(len(regions)), key=lambda r: sign * heatmap[regions[r]].sum())
    fills = fill(image[None], settings.replace, UNIT, keys, settings.region, seed=settings.seed, repeat=repeat).fills[0]
    now, scores, classes = image.clone(), [], []
    for step in range(settings.steps + 1):
        if step:
            for region in ranked[(step - 1) * settings.per_step : step * settings.per_step]:
                now[(slice(None), *regions[region])] = fills[(slice(None), *regions[region])]
        logits = network(now[None])[0].detach()
        scores.append(float((logits.softmax(0) if settings.of == "probability" else logits)[target]))
        classes.append(int(logits.argmax()))
    return scores, [each != classes[0] for each in classes]


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
@pytest.mark.parametrize(
    "options",
    [
        {"region": 3, "steps": 5},
        {"region": 2, "steps": 4, "per_step": 3, "replace": "blur"},
        {"region": 1, "steps": 70, "replace": "flip", "of": "probability"},
        {"region": 4, "steps": 6, "replace": "mean"},
        {"region": 7, "steps": 2, "replace": "constant", "of": "probability"},
    ],
)
def test_curves_are_those_of_a_version_that_writes_region_by_region(network, options, order):
    settings = RegionPerturbation(repeats=2, seed=4, at_once=5, **options)
    some, maps, targets = images(), heatmaps(), torch.tensor([0, 3, 1])
    orders = settings.orders(maps, some, order)
    found = settings.curves(network, some, targets, orders, UNIT)
    repeats = 2 if order == "random" or settings.replace == "uniform" else 1
    assert found.scores.shape == (3, repeats, settings.steps + 1)
    for i in range(3):
        for repeat in range(repeats):
            scores, changed = literal_curve(network, some[i], maps[i], int(targets[i]), settings, order, repeat)
            np.testing.assert_allclose(found.scores[i, repeat], scores, atol=1e-5)
            assert found.changed[i, repeat].tolist() == changed


def test_aopc_is_its_formula_and_its_difference_is_paired():
    random = np.random.default_rng(0)
    one, other = (PerturbationCurves(random.normal(size=(6, 2, 4)), random.random((6, 2, 4)) < 0.5) for _ in range(2))
    for i in range(6):
        by_repeat = [sum(one.scores[i, r, 0] - one.scores[i, r, k] for k in range(4)) / 4 for r in range(2)]
        assert one.aopc[i] == pytest.approx(np.mean(by_repeat))
        assert one.aopc_by_steps[i, 1] == pytest.approx(np.mean([(s[0] - s[1]) / 2 for s in one.scores[i]]))
        assert one.changed_of_each[i] == one.changed[i, :, 3].mean()
        for k in range(4):
            first = [sum(c[r, k] and not c[r, :k].any() for r in range(2)) for c in one.changed]
            assert one.first_changed_share[k] == pytest.approx(sum(first) / 12)
    difference = minus(one, other)
    np.testing.assert_allclose(difference.mean, np.mean(one.aopc_by_steps - other.aopc_by_steps, axis=0))
    assert difference.low[3] < difference.mean[3] < difference.high[3]
    same = minus(one, one)  # paired: whatever the spread between images
    assert same.low.tolist() == same.high.tolist() == [0, 0, 0, 0]
    joined = PerturbationCurves.joined([one, other])
    assert joined.aopc.tolist() == [*one.aopc, *other.aopc]


def test_a_linear_score_falls_by_what_is_taken_away():
    """f = Σ x with pixels set to 0: f(x⁰) − f(x^k) is the sum of the first k regions, whose heatmap is x itself."""
    some = images(2, (6, 6))
    sums = nn.Sequential(nn.Flatten(), nn.Linear(108, 2, bias=False))
    nn.init.ones_(sums[1].weight)
    settings = RegionPerturbation(region=2, steps=9, replace="constant")
    maps = some.sum(1).numpy()
    found = settings.curves(sums, some, torch.tensor([0, 1]), settings.orders(maps, some, "morf"), UNIT)
    ordered = -np.sort(-RegionGrid((6, 6), 2).sums(maps), axis=1)
    np.testing.assert_allclose(found.drops[:, 1:], np.cumsum(ordered, 1), rtol=1e-4)
    np.testing.assert_allclose(found.drops[:, -1], maps.sum((1, 2)), rtol=1e-4)


def test_steps_that_flip_one_percent_of_the_pixels(network):
    """Digits at ±1: after k steps the sign of 7 k pixels is turned, no other value changes."""
    digits = torch.where(images(2, (28, 28), 1) > 0.8, 1.0, -1.0)
    settings = RegionPerturbation(region=1, per_step=784 // 100, steps=10, replace="flip")
    valid = PixelRange(torch.tensor([-1.0]), torch.tensor([1.0]))
    maps = heatmaps(2, (28, 28))
    perturbed, steps = settings.perturbed(digits, settings.orders(maps, digits, "morf"), 0, valid)
    for k in (0, 1, 10):
        turned = perturbed(torch.arange(2), steps <= k) * digits == -1
        assert turned.sum((1, 2, 3)).tolist() == [7 * k] * 2
    least = torch.from_numpy(maps)[steps <= 10].reshape(2, 70).amin(1)
    assert bool((torch.from_numpy(maps)[steps > 10].reshape(2, -1).amax(1) <= least).all())


def test_sums_of_regions_that_are_cut_at_the_border():
    maps = heatmaps()
    for side in (1, 3, 4, 7):
        found = RegionGrid(SIZE, side).sums(maps)
        expected = [[one[region].sum() for region in regions_of(SIZE, side)] for one in maps]
        np.testing.assert_allclose(found, expected)


def test_equal_scores_are_ordered_by_the_seed_and_the_image_alone():
    some = images()
    keys, flat = image_keys(some), np.zeros((3, 20))
    first = order_regions(flat, "morf", keys, seed=1)
    assert first.tolist() == order_regions(flat, "morf", keys, seed=1).tolist()
    assert first[1].tolist() == order_regions(flat[:1], "morf", keys[1:2], seed=1)[0].tolist()
    assert first.tolist() != order_regions(flat, "morf", keys, seed=2).tolist()
    assert len({tuple(row) for row in first.tolist()}) == 3
    assert sorted(first[0].tolist()) == list(range(20))
    half = np.arange(20) // 10.0  # ties are broken among equal scores only
    assert set(order_regions(half[None], "morf", keys[:1])[0][:10]) == set(range(10, 20))
    repeats = [order_regions(flat, "random", keys, repeat=r).tolist() for r in (0, 1)]
    assert repeats[0] != repeats[1]


def test_noise_is_uniform_over_the_valid_range_and_belongs_to_the_image():
    some = images(2, (40, 40))
    valid = PixelRange(torch.tensor([-2.0, 0.0, 1.0]), torch.tensor([2.0, 1.0, 4.0]))
    keys = image_keys(some)
    noise = fill(some, "uniform", valid, keys, 9).fills
    means, spreads = noise.mean((0, 2, 3)), noise.amax((0, 2, 3)) - noise.amin((0, 2, 3))
    torch.testing.assert_close(means, torch.tensor([0.0, 0.5, 2.5]), atol=0.1, rtol=0)
    torch.testing.assert_close(spreads, torch.tensor([4.0, 1.0, 3.0]), atol=0.05, rtol=0)
    assert torch.equal(fill(some[1:], "uniform", valid, keys[1:], 9).fills, noise[1:])
    assert not torch.equal(fill(some, "uniform", valid, keys, 9, repeat=1).fills, noise)


def test_dirichlet_mixes_the_same_pixel_of_other_images():
    """Of two others every pixel lies between theirs, uniformly; a grey mixture stays grey."""
    pool = torch.stack([torch.zeros(3, 30, 30), torch.ones(3, 30, 30)])
    some = images(1, (30, 30))
    mixed = fill(some, "dirichlet", UNIT, image_keys(some), 9, pool=torch.cat([some, pool])).fills
    assert torch.allclose(mixed[:, 0], mixed[:, 1])
    assert 0 <= float(mixed.min()) < 0.05
    assert 0.95 < float(mixed.max()) <= 1
    assert float(mixed.var()) == pytest.approx(1 / 12, abs=0.01)
    with pytest.raises(ValueError, match="there is one image alone"):
        fill(some, "dirichlet", UNIT, image_keys(some), 9, pool=some)


def test_inpainting_paints_from_what_is_left():
    """Every step anew by OpenCV; what is not masked keeps every bit."""
    some = images(2, (12, 12)) * 4 - 2
    valid = PixelRange(torch.full((3,), -2.0), torch.full((3,), 2.0))
    settings = RegionPerturbation(region=4, steps=8, replace="inpaint")
    perturbed, steps = settings.perturbed(some, settings.orders(heatmaps(2, (12, 12)), some, "morf"), 0, valid)
    for k in (0, 1, 8):
        masks = steps <= k
        found = perturbed(torch.arange(2), masks)
        keep = ~masks[:, None].expand_as(some)
        assert torch.equal(found[keep], some[keep])
        for image, mask, after in zip(some, masks.numpy(), found, strict=True):
            levels = np.rint((image.permute(1, 2, 0).numpy() + 2) / 4 * 255).astype(np.uint8)
            painted = cv2.inpaint(levels, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA) / 255 * 4 - 2
            np.testing.assert_allclose(after.permute(1, 2, 0).numpy()[mask], painted[mask], atol=1e-5)


def test_the_model_and_the_random_states_are_not_touched(network):
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(inplace=True), *network).train()
    before, some = {name: each.clone() for name, each in model.state_dict().items()}, images()
    state, copy = torch.random.get_rng_state(), some.clone()
    settings = RegionPerturbation(region=3, steps=2, repeats=1)
    settings.curves(model, some, torch.tensor([0, 1, 2]), settings.orders(heatmaps(), some, "morf"), UNIT)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert model.training
    assert torch.equal(some, copy)
    assert torch.equal(torch.random.get_rng_state(), state)


class Viewing(nn.Module):
    """Takes feature maps as they lie in memory: in another layout it raises, or gives something else."""

    def __init__(self, how):
        super().__init__()
        self.how, self.convolution, self.head = how, nn.Conv2d(3, 4, 3, bias=False), nn.Linear(160, 5)

    def forward(self, images):
        maps = self.convolution(images)
        flat = maps.view(len(maps), -1) if self.how == "view" else maps.as_strided((len(maps), 160), (160, 1))
        return self.head(flat)


@pytest.mark.parametrize("how", ["view", "stride"])
def test_networks_that_look_at_memory_get_it_as_they_expect(how):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Viewing(how)
    settings, some, maps = RegionPerturbation(region=3, steps=4, repeats=1, seed=2), images(), heatmaps()
    targets = torch.tensor([0, 3, 1])
    found = settings.curves(model, some, targets, settings.orders(maps, some, "morf"), UNIT)
    for i in range(3):
        scores, _ = literal_curve(model, some[i], maps[i], int(targets[i]), settings, "morf", 0)
        np.testing.assert_allclose(found.scores[i, 0], scores, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"region": 11}, "region expects 1 to 7 for images of 7×10, got 11."),
        ({"region": 0}, "region expects 1 or more, got 0."),
        ({"region": 3, "steps": 13}, "steps expects at most 12 for 12 regions of 3×3 pixels, 1 a step, got 13."),
        ({"region": 3, "steps": 5, "per_step": 3}, "steps expects at most 4 for 12 regions of 3×3 pixels, 3 a step"),
        ({"region": 3, "steps": 12, "replace": "inpaint"}, "steps expects at most 11 for 12 regions"),
        ({"region": 1, "steps": 71}, "steps expects at most 70 for 70 regions of 1×1 pixels"),
        ({"region": 3, "steps": 5, "replace": "noise"}, "replace expects one of uniform, dirichlet"),
        ({"constant": 2.0}, "constant expects a number from 0 to 1, got 2.0."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(network, settings, sentence):
    def use():
        used = RegionPerturbation(**settings)
        return used.curves(network, images(), torch.zeros(3).long(), used.orders(heatmaps(), images(), "morf"), UNIT)

    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        use()


def test_a_single_region_cannot_be_painted_from_nothing():
    assert [replaceable((7, 7), 7, "blur"), replaceable((7, 10), 7, "inpaint"), replaceable((7, 7), 2, "mean")] == [
        1, 1, 16,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="images of 7×7 pixels are one region of 7×7; make region smaller"):
        RegionPerturbation(7, 1, replace="inpaint").grid((7, 7))
