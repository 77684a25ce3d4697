"""Heatmaps of large images in tiles, against a literal loop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unhans.attribution import InputXGradient, Relevance, Tiled, tile_starts


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


def literal(explain, images, target, size, stride):
    """Every pixel by itself: the mean over the tiles that hold it."""
    _, _, height, width = images.shape
    places = [[*range(0, length - size, stride), length - size] for length in (height, width)]
    found = {
        (top, left): explain(images[:, :, top : top + size, left : left + size], target)
        for top in places[0]
        for left in places[1]
    }
    maps = torch.zeros(len(images), height, width)
    for row in range(height):
        for column in range(width):
            own = [
                each.maps[:, row - top, column - left]
                for (top, left), each in found.items()
                if 0 <= row - top < size and 0 <= column - left < size
            ]
            maps[:, row, column] = torch.stack(own).mean(0)
    return maps, torch.stack([each.logits for each in found.values()]).mean(0)


@pytest.mark.parametrize("method", [Relevance(), InputXGradient()])
@pytest.mark.parametrize(("size", "stride"), [(6, 2), (6, 5), (7, 7)])
def test_a_pixel_has_the_mean_over_the_tiles_that_hold_it(method, size, stride):
    net, images, target = network(), torch.rand(2, 3, 11, 14), torch.tensor([0, 2])
    found = Tiled(method, size, stride).of(net)(images, target)
    maps, logits = literal(method.of(net), images, target, size, stride)
    torch.testing.assert_close(found.maps, maps)
    torch.testing.assert_close(found.logits, logits)


def test_an_image_of_one_tile_is_explained_as_it_is():
    net, images = network(), torch.rand(2, 3, 6, 6)
    torch.testing.assert_close(Tiled(Relevance(), 9, 3).of(net)(images, 1).maps, Relevance().of(net)(images, 1).maps)


def test_tiles_reach_both_ends():
    assert tile_starts(102 + 2 * 34, 102, 34) == [0, 34, 68]
    assert tile_starts(103, 102, 34) == [0, 1]


def test_maps_of_a_layer_are_refused():
    with pytest.raises(ValueError, match=r"Tiles need heatmaps of the input's size \(6, 6\), got \(4, 4\)"):
        Tiled(Relevance(layer="0"), 6, 3).of(network())(torch.rand(1, 3, 9, 9), 0)
