"""A picture at places by hand lies exactly there, scaled and turned, against slow loops over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from unhans.artifacts import HandPlace, HandPlaced
from unhans.artifacts.hand_places import turned

SIDE = 12


@pytest.fixture
def file(tmp_path):
    """A picture of 4 × 3 pixels with a fully transparent rim of 2 at the left and 1 below."""
    pixels = np.zeros((4, 6, 4), dtype=np.uint8)
    pixels[:3, 2:] = np.random.default_rng(0).integers(50, 255, (3, 4, 4))
    Image.fromarray(pixels).save(tmp_path / "p.png")
    return tmp_path / "p.png"


def stamp(file):
    return np.asarray(Image.open(file)).astype(np.float32)[:3, 2:].transpose(2, 0, 1) / 255


@pytest.mark.parametrize(("x", "y"), [(6, 6), (6.5, 4.5), (0, 0), (12, 12), (2.4, 11.6)])
def test_the_centre_lies_at_x_and_y_and_what_is_outside_is_cut(file, x, y):
    placed = HandPlaced("cat", file, {3: HandPlace(x, y)}, size=None)
    expected, own = np.zeros((4, SIDE, SIDE), dtype=np.float32), stamp(file)
    left, top = math.floor(x - 4 / 2 + 0.5), math.floor(y - 3 / 2 + 0.5)
    beyond = False
    for row in range(3):
        for column in range(4):
            if 0 <= top + row < SIDE and 0 <= left + column < SIDE:
                expected[:, top + row, left + column] = own[:, row, column]
            else:
                beyond = True
    np.testing.assert_array_equal(placed.layer(3, SIDE).numpy(), expected)
    assert placed.reaches_beyond(3, (SIDE, SIDE)) is beyond


def test_what_is_seen_of_a_whole_number_of_pixels_is_centred_to_half_a_pixel(file):
    placed = HandPlaced("cat", file, {0: HandPlace(6, 7.5, scale=2.0, angle=90)}, size=None)
    alpha = placed.layer(0, SIDE)[3] > 0
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    assert (len(rows), len(columns)) == (8, 6)  # twice 4 × 3, turned
    assert abs((rows[0] + rows[-1] + 1) / 2 - 7.5) <= 0.5
    assert (columns[0] + columns[-1] + 1) / 2 == 6


@pytest.mark.parametrize("angle", [30, -75, 180, 270, -90])
def test_turning_by_hand(angle):
    """Each pixel takes, bilinearly, what lies where it is turned back to; colours weigh as their alpha."""
    layer = torch.rand(4, 5, 7, generator=torch.Generator().manual_seed(0))
    found = turned(layer, angle).numpy()
    weighted = np.concatenate([layer[:3] * layer[3:], layer[3:]])
    height, width = found.shape[1:]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for row in range(height):
        for column in range(width):
            right, up = column - (width - 1) / 2, (height - 1) / 2 - row
            x = right * cos + up * sin + (7 - 1) / 2
            y = (5 - 1) / 2 - (up * cos - right * sin)
            value = np.zeros(4)
            for i in (math.floor(y), math.floor(y) + 1):
                for j in (math.floor(x), math.floor(x) + 1):
                    if 0 <= i < 5 and 0 <= j < 7:
                        value += max(0, 1 - abs(y - i)) * max(0, 1 - abs(x - j)) * weighted[:, i, j]
            np.testing.assert_allclose(found[3, row, column], value[3], atol=1e-4)
            if value[3] > 0.01:
                np.testing.assert_allclose(found[:3, row, column], value[:3] / value[3], atol=1e-2)


def test_a_picture_larger_than_the_image_may_be_made_smaller(tmp_path):
    Image.new("RGBA", (40, 20), (255, 0, 0, 255)).save(tmp_path / "large.png")
    placed = HandPlaced("cat", tmp_path / "large.png", {0: HandPlace(6, 6, scale=0.1)}, size=None)
    assert int((placed.layer(0, SIDE)[3] > 0.9).sum()) == 4 * 2
    with pytest.raises(KeyError):
        placed.layer(1, SIDE)
