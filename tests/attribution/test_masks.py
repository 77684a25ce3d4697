"""Extremal perturbation: mask generator, blurring and objective against literal versions; planted marks are found."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms.v2.functional import gaussian_blur

from unhans.attribution.masks import Blurring, ExtremalPerturbation, MaskGenerator, kernel
from unhans.attribution.masks.extremal_perturbation import area_penalty


def literal_kernel(z):
    return math.exp(-2 * max(0.0, z - 0.5) ** 2)


def literal_nodes(generator, parameters, sigma):
    """The mask at the nodes of the image, from the formula, one node and one parameter at a time."""
    (height, width), (rows, columns) = generator.size, generator.nodes
    down, right = (height - 1) / (rows - 1), (width - 1) / (columns - 1)
    found = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            over = under = 0.0
            for y in range(generator.shape[0]):
                for x in range(generator.shape[1]):
                    apart = math.hypot((y - generator.margin[0] - i) * down, (x - generator.margin[1] - j) * right)
                    k = literal_kernel(apart / sigma)
                    if k >= 1e-3:
                        f = k * float(parameters[y, x])
                        over += f * math.exp(20 * f)
                        under += math.exp(20 * f)
            found[i, j] = over / under
    return found


@pytest.mark.parametrize(("height", "width", "step", "sigma"), [(13, 10, 3, 4.0), (9, 9, 2, 2.5)])
def test_the_mask_is_the_smooth_maximum_of_the_formula(height, width, step, sigma):
    generator = MaskGenerator(height, width, step, sigma)
    p = torch.rand(1, *generator.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nodes = torch.from_numpy(literal_nodes(generator, p[0], sigma))[None, None]
    expected = F.interpolate(nodes, (height, width), mode="bilinear", align_corners=True)[0, 0]
    torch.testing.assert_close(generator(p)[0], expected, rtol=1e-6, atol=1e-7)


def literal_maximum(generator, parameters, sigma):
    """The same masks from whole windows, for autograd to go through."""
    window = [count - inner + 1 for count, inner in zip(generator.shape, generator.nodes, strict=True)]
    apart = [
        (torch.arange(count) - count // 2) * (side - 1) / (inner - 1)
        for count, side, inner in zip(window, generator.size, generator.nodes, strict=True)
    ]
    weights = kernel(torch.hypot(apart[0][:, None], apart[1][None]) / sigma).flatten()[:, None].double()
    values = (F.unfold(parameters[:, None], window) * weights)[:, weights[:, 0] >= 1e-3]
    coarse = (values * (20 * values).softmax(1)).sum(1).unflatten(1, generator.nodes)
    return F.interpolate(coarse[:, None], generator.size, mode="bilinear", align_corners=True)[:, 0]


def test_gradients_of_the_mask_are_those_of_the_formula():
    generator = MaskGenerator(13, 10, 3, 4.0)
    p = torch.rand(3, *generator.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    upstream = torch.rand(3, 13, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    p.requires_grad_()
    found, expected = generator(p), literal_maximum(generator, p, 4.0)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    gradients = [torch.autograd.grad((each * upstream).sum(), p)[0] for each in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_the_smooth_maximum_is_nearly_the_maximum():
    """Of one parameter that is 1 and others that are 0; were 20 the temperature, not its inverse, it were a mean."""
    generator = MaskGenerator(9, 9, 2, 0.9)  # all neighbours but the node's own are beyond the reach of sigma
    p = torch.zeros(1, *generator.shape)
    p[0, generator.margin[0] + 2, generator.margin[1] + 2] = 1
    assert float(generator(p)[0, 4, 4]) == pytest.approx(1, abs=1e-6)


def test_the_kernel_falls_with_distance():
    distances = torch.tensor([0.0, 0.5, 1.0, 1.5])
    torch.testing.assert_close(kernel(distances), torch.tensor([1.0, 1.0, math.exp(-0.5), math.exp(-2.0)]))


def test_blurring_mixes_neighbouring_strengths():
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    blurring = Blurring(images, 4.0)
    torch.testing.assert_close(blurring(torch.ones(1, 16, 16)), images)
    levels = [blurring(torch.full((1, 16, 16), 1 - level / 7)) for level in range(8)]
    spread = [float(level.var()) for level in levels]
    assert spread == sorted(spread, reverse=True)
    between = blurring(torch.full((1, 16, 16), 1 - 2.5 / 7))
    torch.testing.assert_close(between, (levels[2] + levels[3]) / 2, rtol=1e-4, atol=1e-5)


class Disk(nn.Module):
    """The logit of class 1 is the contrast of stripes in one disk of the image, whatever else there is."""

    def __init__(self, row=10, column=18, radius=4.0):
        super().__init__()
        rows, columns = torch.arange(32.0)[:, None], torch.arange(32.0)[None]
        self.disk = torch.hypot(rows - row, columns - column) <= radius
        self.stripes = self.disk * (1 - 2 * (columns % 2))

    def forward(self, images):
        signal = 20 * (images[:, 0] * self.stripes).sum((1, 2)) / self.disk.sum()
        return torch.stack([images.mean((1, 2, 3)), signal], 1)


def marked(n=3, seed=0):
    images = torch.rand(n, 1, 32, 32, generator=torch.Generator().manual_seed(seed)) * 0.2
    net = Disk()
    return net, images + net.stripes


MARK = {"area": 0.05, "steps": 100, "step": 14.0, "sigma": 21.0, "batch_size": 4}
MARK["jitter"] = False  # this network knows places, and does not know mirrored images


@pytest.mark.parametrize("change", [{}, {"variant": "delete"}, {"variant": "dual", "reward": "contrastive"}])
def test_the_mask_shows_what_the_network_uses(change):
    net, images = marked()
    maps = ExtremalPerturbation(**(MARK | change)).of(net)(images, 1).maps
    rounded = maps > 0.5
    assert ((rounded & net.disk).sum((1, 2)) / rounded.sum((1, 2)) >= 0.75).all()
    assert (rounded.float().mean((1, 2)) - MARK["area"]).abs().max() <= 0.02
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_the_objective_is_no_worse_than_that_of_the_best_box():
    """No square of the area keeps a higher logit."""
    net, images = marked(1)
    mask = ExtremalPerturbation(**MARK).of(net)(images, 1).maps
    blurring, side = Blurring(images, 20 * 32 / 224), round(math.sqrt(MARK["area"]) * 32)
    kept = float(net(blurring((mask > 0.5).float()))[0, 1])
    places = [(row, column) for row in range(33 - side) for column in range(33 - side)]
    boxes = torch.zeros(len(places), 32, 32)
    for box, (row, column) in zip(boxes, places, strict=True):
        box[row : row + side, column : column + side] = 1
    assert kept >= max(float(net(blurring(box[None]))[0, 1]) for box in boxes)


def test_images_of_a_batch_do_not_know_each_other():
    net, images = marked(3)
    together = ExtremalPerturbation(**MARK).of(net)(images, 1).maps
    alone = ExtremalPerturbation(**(MARK | {"batch_size": 1})).of(net)(images, 1).maps
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_relevance_is_a_start_that_needs_fewer_steps():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 2)
    )
    images = marked()[1]
    maps = ExtremalPerturbation(**(MARK | {"start": "relevance", "steps": 30})).of(net)(images, 1).maps
    assert maps.shape == images[:, 0].shape


def literal_smallest(net, image, areas, share, variant):
    """One image, one area after the other; the rounded mask's share of what the image scores above its blurred copy."""
    blurring = Blurring(image, 20 * 32 / 224)
    whole, nothing = (float(net(blurring(torch.full((1, 32, 32), each)))[0, 1]) for each in (1.0, 0.0))
    for area in sorted(areas):
        options = MARK | {"area": area, "steps": 50, "batch_size": 1, "variant": variant}
        mask = ExtremalPerturbation(**options).of(net)(image, 1).maps
        cut = (mask > 0.5).float()
        kept = float(net(blurring(cut))[0, 1]) - nothing
        if variant == "delete":
            kept = whole - float(net(blurring(1 - cut))[0, 1])
        kept /= whole - nothing
        if kept >= share:
            return area, mask[0], kept
    return math.nan, mask[0], kept


@pytest.mark.parametrize("variant", ["preserve", "delete"])
def test_the_smallest_area_is_that_of_a_loop_over_areas_and_images(variant):
    net, images = marked(3)
    rows = torch.arange(32)[:, None]
    images[1] *= (rows > 8).float()  # a part of the disk has no stripes: a smaller area is enough
    images[2] += 0.6 * (1 - 2 * (torch.arange(32) % 2)) * (rows < 3)
    areas, share = (0.08, 0.01, 0.03), 0.75
    method = ExtremalPerturbation(**(MARK | {"area": areas, "steps": 50, "variant": variant, "batch_size": 2}))
    literal = [literal_smallest(net, image[None], areas, share, variant) for image in images]
    found = method.smallest_area(net, images, 1, share)
    assert found.areas.tolist() == pytest.approx([each[0] for each in literal], nan_ok=True)
    torch.testing.assert_close(found.masks, torch.stack([each[1] for each in literal]), rtol=1e-4, atol=1e-4)
    assert found.kept.tolist() == pytest.approx([each[2] for each in literal], abs=1e-3)
    maps = ExtremalPerturbation(**(MARK | {"area": areas, "steps": 50, "variant": variant, "share": share})).of(net)
    torch.testing.assert_close(maps(images, 1).maps, found.masks, rtol=1e-4, atol=1e-4)


def test_where_no_area_is_enough_it_is_said():
    net, images = marked(2)
    images[1] = -images[1]  # the blurred image scores more: no share can be told
    found = ExtremalPerturbation(**(MARK | {"area": (0.01, 0.02), "steps": 30})).smallest_area(net, images, 1, 1.0)
    assert found.areas.isnan().all()
    assert 0 < found.kept[0] < 1
    assert found.kept[1].isnan()


def sorted_penalty(masks, area):
    """By sorting, as in the source."""
    ideal = torch.zeros(masks[0].numel(), dtype=masks.dtype)
    ideal[ideal.numel() - round(area * ideal.numel()) :] = 1
    return (masks.flatten(1).sort(1).values - ideal).square().mean(1)


def test_the_area_penalty_is_that_of_sorted_pixels():
    masks = torch.rand(4, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for area in (0.05, 0.3, 0.9):
        found, expected = area_penalty(masks, area), sorted_penalty(masks, area)
        torch.testing.assert_close(found, expected)
        gradients = [torch.autograd.grad(each.sum(), masks)[0] for each in (found, expected)]
        torch.testing.assert_close(*gradients)


def test_equal_pixels_are_not_told_apart_by_their_place():
    masks = torch.full((1, 4, 5), 0.7, dtype=torch.float64)
    masks[0, 0, 0] = 0.9
    masks.requires_grad_()
    found = area_penalty(masks, 0.25)
    torch.testing.assert_close(found, sorted_penalty(masks, 0.25))
    (gradient,) = torch.autograd.grad(found.sum(), masks)
    assert gradient[0].flatten()[0] == pytest.approx(2 * (0.9 - 1) / 20)
    assert gradient[0].flatten()[1:].tolist() == pytest.approx([2 * (0.7 - 4 / 19) / 20] * 19)


def test_blurred_copies_are_those_of_a_square_kernel():
    images = torch.rand(2, 3, 20, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = gaussian_blur(images, [25, 25], [4.0, 4.0])
    torch.testing.assert_close(Blurring(images, 4.0)(torch.zeros(2, 20, 24)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"area": 0.0}, "area: expected shares of the image between 0 and 1, got 0.0"),
        ({"area": ()}, "area: expected shares"),
        ({"steps": 0}, "steps: expected a positive integer, got 0"),
        ({"sigma": 0.0}, "sigma: expected a number above 0, got 0.0"),
        ({"variant": "keep"}, "variant: expected one of preserve, delete, dual, got 'keep'"),
        ({"reward": "loss"}, "reward: expected one of logit, contrastive, got 'loss'"),
        ({"share": 0.0}, "share: expected a share above 0, at most 1, got 0.0"),
        ({"start": "zeros"}, "start: expected one of uniform, relevance, got 'zeros'"),
    ],
)
def test_bad_options_are_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        ExtremalPerturbation(**options)
