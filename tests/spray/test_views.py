"""What samples are compared by."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.spray.groups import views_of
from unhans.spray.groups.views import shares


def maps(n=20, side=14, seed=0):
    return np.random.default_rng(seed).normal(size=(n, side, side))


def latent(n=20, channels=5, seed=1):
    return np.random.default_rng(seed).normal(size=(n, 2, channels))


def test_every_view_has_a_row_for_every_sample():
    images = np.random.default_rng(2).random((20, 3, 32, 32))
    found = views_of(maps(), {"layer4": latent()}, images)
    assert [(name, points.shape) for name, points in found.items()] == [
        ("input relevance", (20, 196)),
        ("relevance shares", (20, 196)),
        ("coarse shares", (20, 49)),
        ("latent sum layer4", (20, 5)),
        ("latent maximum layer4", (20, 5)),
        ("raw images", (20, 3 * 28 * 28)),
    ]


def test_the_rows_of_pooled_relevance_are_told_apart():
    both = latent()
    found = views_of(maps(), {"a": both}, None)
    np.testing.assert_array_equal(found["latent sum a"], both[:, 0])
    np.testing.assert_array_equal(found["latent maximum a"], both[:, 1])
    assert "raw images" not in found


def test_vectors_and_small_maps_have_no_coarse_shares():
    assert list(views_of(maps().reshape(20, -1), {}, None)) == ["input relevance", "relevance shares"]
    assert list(views_of(maps(side=7), {}, None)) == ["input relevance", "relevance shares"]


def test_constant_views_are_left_out():
    both = latent()
    both[:, 1] = 3
    found = views_of(-np.abs(maps()), {"a": both}, np.ones((20, 3, 8, 8)))
    assert list(found) == ["input relevance", "latent sum a"]


def test_shares_are_the_roots_of_parts_of_the_positive_relevance():
    found = shares(np.array([[[1.0, -5.0], [3.0, 0.0]], [[-1.0, -1.0], [0.0, -2.0]]]))
    np.testing.assert_allclose(found, [[0.5, 0, np.sqrt(0.75), 0], [0, 0, 0, 0]])


def test_the_distance_of_shares_is_that_of_hellinger():
    one, two = np.abs(maps(2))
    p, q = one / one.sum(), two / two.sum()
    found = shares(np.stack([one, two]))
    assert np.square(found[0] - found[1]).sum() == pytest.approx(2 - 2 * np.sqrt(p * q).sum())


def test_shares_know_no_scale():
    found = maps() * np.random.default_rng(3).uniform(0.1, 10, size=(20, 1, 1))
    np.testing.assert_allclose(shares(found), shares(maps()))
