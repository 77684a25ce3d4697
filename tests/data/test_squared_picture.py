"""Pictures padded to squares as they are read, against the same ways on tensors."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from unhans.artifacts import Squaring
from unhans.data import to_tensor
from unhans.data.image_io import resize


def photograph(width, height):
    """A smooth picture: where it is scaled, two ways of rounding hardly differ."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    waves = [np.sin(5 * x + 3 * y), np.cos(4 * x * y), np.sin(7 * y)]
    return Image.fromarray(np.rint(127 + 120 * np.stack(waves, axis=2)).astype(np.uint8))


@pytest.mark.parametrize(("how", "way"), [("pad", "copy"), ("mirror", "mirror")])
@pytest.mark.parametrize("sides", [(32, 20), (20, 32), (100, 64), (19, 64), (64, 1), (7, 5), (32, 32), (90, 90)])
def test_padding_on_reading_is_the_padding_of_tensors(how, way, sides):
    picture = photograph(*sides)
    square = resize(picture, 32, how)
    assert square.size == (32, 32)
    expected = Squaring(way, 32)(to_tensor(picture))
    if max(sides) == 32:
        np.testing.assert_array_equal(to_tensor(square), expected)
    np.testing.assert_allclose(to_tensor(square), expected, atol=2.5 / 255)
