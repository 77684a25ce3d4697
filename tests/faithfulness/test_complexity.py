"""Complexity of heatmaps against literal versions and closed forms."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from unhans.faithfulness import complexity


def test_measures_equal_their_definitions_map_by_map():
    maps = np.random.default_rng(0).normal(size=(3, 6, 9))
    found = complexity(maps)
    for i, one in enumerate(maps):
        values = sorted(abs(value) for value in one.ravel())
        total, n = sum(values), len(values)
        shares = [value / total for value in values]
        entropy = -sum(share * math.log(share) for share in shares)
        assert found.entropy[i] == pytest.approx(entropy)
        assert found.normalised_entropy[i] == pytest.approx(entropy / math.log(54))
        assert found.effective_area[i] == pytest.approx(math.exp(entropy) / 54)
        assert found.gini[i] == pytest.approx(sum(abs(a - b) for a in values for b in values) / (2 * n * total))
        assert found.top_share[i] == pytest.approx(sum(shares[-3:]))  # 5 % of 54
        memory = io.BytesIO()
        grey = np.array([[round(255 * abs(value) / values[-1]) for value in row] for row in one], np.uint8)
        Image.fromarray(grey).save(memory, "png", compress_level=9)
        assert found.png_bytes[i] == len(memory.getvalue())


def test_closed_forms():
    """All pixels alike, one pixel alone, k of n alike, nothing."""
    maps = np.zeros((4, 10, 10))
    maps[0], maps[1, 3, 4], maps[2, :2] = -2.0, 5.0, 1.0
    found = complexity(maps)
    np.testing.assert_allclose(found.entropy[:3], [math.log(100), 0, math.log(20)], atol=1e-12)
    np.testing.assert_allclose(found.normalised_entropy[:2], [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.effective_area[:3], [1, 0.01, 0.2])
    np.testing.assert_allclose(found.gini[:3], [0, 0.99, 0.8], atol=1e-12)
    np.testing.assert_allclose(found.top_share[:3], [0.05, 1, 0.25])
    for measure in (found.entropy, found.gini, found.effective_area, found.top_share):
        assert np.isnan(measure[3])
    assert found.png_bytes[3] < 100


def test_the_scale_does_not_matter_and_noise_is_larger_than_a_plane():
    maps = np.random.default_rng(1).normal(size=(1, 32, 32))
    assert complexity(maps).png_bytes == complexity(1e-6 * maps).png_bytes
    assert complexity(maps).entropy == pytest.approx(complexity(1e6 * maps).entropy)
    assert complexity(maps).png_bytes > 3 * complexity(np.ones((1, 32, 32))).png_bytes


@pytest.mark.parametrize("maps", [np.ones((4, 4)), np.full((1, 2, 2), np.nan), np.ones((1, 1, 1))])
def test_what_is_no_heatmap_is_refused(maps):
    with pytest.raises(ValueError, match="complexity expects finite heatmaps"):
        complexity(maps)
