"""Artifacts at changing places are found, cut out, and not seen where there are none."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from first_isolated import isolate_first
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from unhans.isolation import Isolated, NothingIsolatedError
from unhans.isolation.isolated import boxes
from unhans.report.text import isolated_sentence

N, SIDE, OBJECT = 60, 48, 12


def scenes(seed: int, n: int = N, side: int = SIDE, gray: bool = False) -> Tensor:
    """Smooth noise of full contrast: (n, 3, side, side)."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(n, 3, side, side)), (0, 0, 2.5, 2.5))
    noise = noise[:, [0, 0, 0]] if gray else noise
    low, high = noise.min((1, 2, 3), keepdims=True), noise.max((1, 2, 3), keepdims=True)
    return torch.from_numpy(((noise - low) / (high - low)).astype(np.float32))


def disc(size: int = OBJECT) -> Tensor:
    """A blue disc with a yellow triangle: (4, size, size) RGBA."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    layer = np.zeros((4, size, size), dtype=np.float32)
    layer[:, np.hypot(x, y) <= size / 2] = np.array([0.1, 0.4, 0.9, 1])[:, None]
    layer[:3, (y > 2 * abs(x) - size / 4) & (y < size / 4)] = np.array([1, 0.9, 0.1])[:, None]
    return torch.from_numpy(layer)


def with_object(
    images: Tensor, layer: Tensor, carriers: NDArray[np.bool_], seed: int = 0
) -> tuple[Tensor, NDArray[np.float32], NDArray[np.bool_]]:
    """Return images with the layer at random places, heatmaps with a blob near it or anywhere, and its true masks."""
    rng, images = np.random.default_rng([seed, 7]), images.clone()
    side, size = images.shape[-1], layer.shape[-1]
    heatmaps, truth = np.zeros((len(images), side, side), np.float32), np.zeros((len(images), side, side), bool)
    for index in range(len(images)):
        top, left = rng.integers(0, side - size + 1, 2)
        if carriers[index]:
            under = images[index, :, top : top + size, left : left + size]
            under.lerp_(layer[:3], layer[3:].expand(3, -1, -1))
            truth[index, top : top + size, left : left + size] = layer[3] > 0
        heatmaps[index, top + size // 2, left + size // 2] = 1
    return images, gaussian_filter(heatmaps, (0, size / 4, size / 4)), truth


def cluster(carriers: NDArray[np.bool_], missed: int = 4, wrong: int = 2) -> NDArray[np.bool_]:
    members = carriers.copy()
    members[np.flatnonzero(carriers)[:missed]] = False
    members[np.flatnonzero(~carriers)[:wrong]] = True
    return members


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return (one & other).sum() / (one | other).sum()


@pytest.fixture(scope="module")
def carriers() -> NDArray[np.bool_]:
    return np.arange(N) % 5 < 2


@pytest.fixture(scope="module")
def planted(carriers: NDArray[np.bool_]) -> tuple[Isolated, NDArray[np.bool_]]:
    images, heatmaps, truth = with_object(scenes(0), disc(), carriers)
    return isolate_first(images, heatmaps, cluster(carriers), kind="free"), truth


def test_object_is_found_where_it_is_and_nowhere_else(planted, carriers) -> None:
    isolated, truth = planted
    assert isolated.kind == "free"
    np.testing.assert_array_equal(isolated.members, carriers)  # not the cluster, which is wrong in six images
    assert min(overlap(isolated.masks[i], truth[i]) for i in np.flatnonzero(carriers)) > 0.9
    assert not isolated.masks[~carriers].any()
    np.testing.assert_array_equal(isolated.places, boxes(isolated.masks))


def test_layer_is_the_object(planted) -> None:
    isolated, _ = planted
    (layer,) = isolated.layers
    assert abs(layer.shape[1] - OBJECT) <= 1
    assert abs(layer.shape[2] - OBJECT) <= 1
    solid = layer[3] > 0.5
    assert float(layer[3][solid].mean()) > 0.95
    blue = torch.tensor([0.1, 0.4, 0.9])[:, None, None]
    yellow = torch.tensor([1, 0.9, 0.1])[:, None, None]
    nearest = torch.minimum((layer[:3] - blue).abs().amax(0), (layer[:3] - yellow).abs().amax(0))
    assert float(nearest[solid].max()) < 0.1


def test_sentence_counts_and_rates(planted) -> None:
    isolated, _ = planted
    assert "found in 20 of 22 images of the cluster and 4 of 38 others" in isolated_sentence(isolated)
    assert f"{isolated.separation:.2f}" in isolated_sentence(isolated)
    assert 0.8 < isolated.separation < 1


def test_detector_finds_it_in_new_images_and_survives_pickling(planted) -> None:
    isolated, _ = planted
    some = np.arange(20) < 8
    images, _, truth = with_object(scenes(1, 20), disc(), some, seed=1)
    match = pickle.loads(pickle.dumps(isolated.detector)).match(images)
    np.testing.assert_array_equal(match.carries, some)
    assert min(overlap(match.masks[i], truth[i]) for i in range(8)) > 0.9
    assert match.scores[some].min() > match.scores[~some].max()


def test_same_seed_same_result(planted, carriers) -> None:
    images, heatmaps, _ = with_object(scenes(0), disc(), carriers)
    again = isolate_first(images, heatmaps, cluster(carriers), kind="free")
    assert again.evidence == planted[0].evidence
    assert torch.equal(again.layers[0], planted[0].layers[0])
    np.testing.assert_array_equal(again.masks, planted[0].masks)


def test_two_objects_are_two_prototypes() -> None:
    images, first = scenes(2), np.arange(N) % 5 == 0
    second = np.arange(N) % 5 == 1
    images, maps, _ = with_object(images, disc(), first)
    ring = disc().flip(0)[[1, 2, 3, 0]] * disc()[3]
    ring[3] = disc()[3]
    ring[:3, 4:8, 4:8] = 0
    images, more, _ = with_object(images, ring, second)
    isolated = isolate_first(images, np.where(second[:, None, None], more, maps), first | second, kind="free")
    np.testing.assert_array_equal(isolated.members, first | second)
    assert len(isolated.layers) == 2


def test_gray_images_and_half_transparent_objects(carriers) -> None:
    layer = disc()
    layer[:3] = torch.where(layer[:1] > 0.5, 0.9, 0.1)
    layer[3] *= 0.6
    images, heatmaps, truth = with_object(scenes(3, gray=True), layer, carriers)
    isolated = isolate_first(images, heatmaps, carriers, kind="free")
    assert (isolated.members == carriers).mean() > 0.95
    assert float(isolated.layers[0][3].max()) < 0.85
    found = np.flatnonzero(carriers & isolated.members)
    assert np.median([overlap(isolated.masks[i], truth[i]) for i in found]) > 0.8


@pytest.mark.parametrize("seed", range(4))
def test_cluster_without_agreement_is_refused(seed: int) -> None:
    images, heatmaps, _ = with_object(scenes(10 + seed), disc(), np.zeros(N, bool), seed)
    members = np.random.default_rng(seed).permutation(N) < N // 3
    with pytest.raises(NothingIsolatedError, match="no common shape"):
        isolate_first(images, heatmaps, members, kind="free", seed=seed)


@pytest.mark.parametrize("side", [8, 13])
def test_tiny_images_are_refused_or_isolated_but_do_not_fail(side: int) -> None:
    heatmaps = np.random.default_rng(0).random((20, side, side))
    with pytest.raises(NothingIsolatedError):
        isolate_first(scenes(5, 20, side), heatmaps, np.arange(20) < 7, kind="free")


@pytest.mark.parametrize("count", [1, 2, 19, 20])
def test_too_few_images_are_refused(count: int) -> None:
    with pytest.raises(NothingIsolatedError, match=f"members {count}, others {20 - count}"):
        isolate_first(scenes(0, 20, 16), np.ones((20, 16, 16)), np.arange(20) < count, kind="free")


@pytest.mark.parametrize("count", [3, 10, 17])
def test_three_images_do_not_fail(count: int) -> None:
    heatmaps = np.random.default_rng(0).random((20, 16, 16))
    with pytest.raises(NothingIsolatedError):
        isolate_first(scenes(0, 20, 16), heatmaps, np.arange(20) < count, kind="free")


def test_no_relevance_is_refused() -> None:
    with pytest.raises(NothingIsolatedError, match="no positive relevance"):
        isolate_first(scenes(0, 20, 16), -np.ones((20, 16, 16)), np.arange(20) < 8, kind="free")
