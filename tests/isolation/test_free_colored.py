"""Coloured patches of changing shape are found by what relevance points at, and by their colours elsewhere."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from first_isolated import isolate_first
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from unhans.isolation import NothingIsolatedError
from unhans.isolation.free import isolate_colored
from unhans.isolation.free.colour_model import color_model, lab_images
from unhans.isolation.free.segmentation import convex_hull, crop, filled, grab, part_with, prototypes
from unhans.report.text import isolated_sentence

N, SIDE = 40, 48
COLORS = ((0.1, 0.6, 0.9), (0.2, 0.8, 0.3))


def skins(n: int, seed: int) -> Tensor:
    """Smooth brownish noise: (n, 3, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    light = (
        gaussian_filter(rng.normal(size=(n, 1, SIDE, SIDE)), (0, 0, 4, 4)) * 0.6 + rng.normal(size=(n, 1, 1, 1)) * 0.05
    )
    skin = np.array([0.8, 0.6, 0.5])[:, None, None] + light + rng.normal(size=(n, 3, SIDE, SIDE)) * 0.01
    return torch.from_numpy(skin.clip(0, 1).astype(np.float32))


def patched(
    images: Tensor, carriers: NDArray[np.bool_], seed: int = 0
) -> tuple[Tensor, NDArray[np.float32], NDArray[np.bool_]]:
    """Return images with an ellipse of one of two colours and of any size, relevance on its edge, and its masks."""
    rng, images = np.random.default_rng([seed, 3]), images.clone()
    y, x = np.mgrid[:SIDE, :SIDE]
    masks, heatmaps = np.zeros((len(images), SIDE, SIDE), bool), np.zeros((len(images), SIDE, SIDE), np.float32)
    for index in range(len(images)):
        top, left, high, wide = rng.uniform(8, 40), rng.uniform(8, 40), rng.uniform(5, 12), rng.uniform(5, 12)
        mask = ((y - top) / high) ** 2 + ((x - left) / wide) ** 2 < 1
        heatmaps[index] = (
            gaussian_filter(mask.astype(np.float32), 1) * ~mask + 0.02 * rng.random((SIDE, SIDE)) + 0.5 * mask
        )
        if carriers[index]:
            images[index][:, torch.from_numpy(mask)] = torch.tensor(COLORS[index % 2])[:, None]
            masks[index] = mask
    return images, heatmaps, masks


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return (one & other).sum() / (one | other).sum()


def test_patches_are_found_by_colour_and_shown_by_a_prototype_of_each() -> None:
    carriers = np.arange(N) % 5 < 2
    images, heatmaps, masks = patched(skins(N, 0), carriers)
    members = carriers.copy()
    members[np.flatnonzero(carriers)[:2]] = False
    isolated = isolate_colored(images, heatmaps, members)
    np.testing.assert_array_equal(isolated.members, carriers)
    assert np.median([overlap(isolated.masks[i], masks[i]) for i in np.flatnonzero(carriers)]) > 0.8
    assert isolated.separation > 0.85
    assert len(isolated.layers) == 2
    means = sorted(tuple((layer[:3] * layer[3]).sum((1, 2)) / layer[3].sum()) for layer in isolated.layers)
    np.testing.assert_allclose(means, COLORS, atol=0.1)
    assert "14 of 14 images of the cluster and 2 of 26 others" in isolated_sentence(isolated)
    fresh, _, truth = patched(skins(12, 1), np.arange(12) < 6, seed=1)
    match = pickle.loads(pickle.dumps(isolated.detector)).match(fresh)
    np.testing.assert_array_equal(match.carries, np.arange(12) < 6)
    assert np.median([overlap(match.masks[i], truth[i]) for i in range(6)]) > 0.8


def test_colours_that_the_rest_shows_too_are_no_artifact_of_the_cluster() -> None:
    images, heatmaps, _ = patched(skins(N, 2), np.ones(N, bool))
    members = np.arange(N) % 5 < 2
    heatmaps[~members] = gaussian_filter(np.eye(SIDE, dtype=np.float32)[[4]].T * np.eye(SIDE)[[4]], 2)
    with pytest.raises(NothingIsolatedError, match=r"no own colours \(area 0\.[3-6]"):
        isolate_colored(images, heatmaps, members)


def test_colours_must_lie_where_relevance_points() -> None:
    n = 80
    carriers = np.arange(n) % 5 < 2
    images, heatmaps, masks = patched(skins(n, 0), carriers)
    there = gaussian_filter(masks.astype(np.float32), (0, 1, 1))
    elsewhere = np.roll(there, 20, (1, 2))
    heatmaps = np.where(np.arange(n)[:, None, None] % 3 > 0, elsewhere, there) + 1e-3 * heatmaps
    with pytest.raises(NothingIsolatedError, match=r"colours elsewhere \(agreed 11, members 32"):
        isolate_colored(images, heatmaps, carriers)


def test_large_images_are_cut_at_a_smaller_size() -> None:
    y, x = np.mgrid[:300, :400]
    mask = ((y - 120) / 60) ** 2 + ((x - 250) / 80) ** 2 < 1
    lab = np.where(mask[..., None], 190, 90).astype(np.uint8) + np.random.default_rng(0).integers(
        0, 9, (300, 400, 3), np.uint8
    )
    found = grab(lab, gaussian_filter(mask.astype(float), 20) * (x > 250))
    assert found.shape == mask.shape
    assert overlap(found, mask) > 0.95


def test_colour_of_the_whole_image_is_no_patch() -> None:
    images, heatmaps, _ = patched(skins(N, 3), np.zeros(N, bool))
    members = np.arange(N) % 5 < 2
    images[members] = images[members].flip(1)
    heatmaps[:] = np.random.default_rng(0).random((N, SIDE, SIDE))
    with pytest.raises(NothingIsolatedError):
        isolate_first(images, heatmaps, members, kind="free")


def test_grab_finds_the_thing_from_a_part_of_it_and_is_repeatable() -> None:
    images, _, masks = patched(skins(1, 4), np.ones(1, bool))
    relevance = gaussian_filter(masks[0].astype(float), 2) * (np.arange(SIDE) > np.argwhere(masks[0])[:, 1].mean())
    lab = lab_images(images)[0]
    mask = grab(lab, relevance)
    assert overlap(mask, masks[0]) > 0.9
    np.testing.assert_array_equal(mask, grab(lab, relevance))
    assert not grab(lab, np.zeros((SIDE, SIDE))).any()


def test_holes_at_the_rim_are_filled() -> None:
    mask = np.zeros((6, 6), bool)
    mask[1, 3:], mask[4, 3:], mask[1:5, 3] = True, True, True
    expected = np.zeros((6, 6), bool)
    expected[1:5, 3:] = True
    np.testing.assert_array_equal(filled(mask), expected)
    np.testing.assert_array_equal(convex_hull(mask), expected)
    np.testing.assert_array_equal(
        part_with(np.eye(6, dtype=bool), np.eye(6, dtype=bool) & (np.arange(6) == 2)), np.diag(np.arange(6) == 2)
    )
    assert not part_with(mask, ~filled(mask)).any()


def test_colour_model_is_a_log_ratio_of_frequencies() -> None:
    inside, outside = np.full((50, 3), 60, np.uint8), np.full((70, 3), 200, np.uint8)
    model = color_model([inside, np.zeros((0, 3), np.uint8)], [outside])
    assert float(model(inside[0])) == pytest.approx(-float(model(outside[0])))
    assert float(model(inside[0])) > 5
    assert float(model(np.array([130, 130, 130], np.uint8))) == 0


def test_prototypes_are_medoids_the_most_frequent_first() -> None:
    images = torch.zeros(5, 3, 12, 12)
    images[:3, 0], images[3:, 2] = 1, 1
    masks = np.zeros((5, 12, 12), bool)
    for index, size in enumerate((2, 4, 9, 5, 5)):
        masks[index, 1 : 1 + size, 2 : 2 + size] = True
    layers = prototypes(images, lab_images(images), masks)
    assert [tuple(layer.shape) for layer in layers] == [(4, 4, 4), (4, 5, 5)]
    assert layers[0][0].eq(1).all()
    assert torch.equal(crop(images[3], masks[3]), layers[1])
