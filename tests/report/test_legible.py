"""Heatmaps summed to what a tile can show."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.report.figures import legible


@pytest.mark.parametrize(("side", "shown"), [(224, 56), (64, 64), (299, 299), (96, 48), (32, 32)])
def test_sizes(side, shown):
    maps = np.random.default_rng(0).normal(size=(2, side, side))
    summed = legible(maps)
    assert summed.shape == (2, shown, shown)
    assert summed.sum((1, 2)) == pytest.approx(maps.sum((1, 2)))
