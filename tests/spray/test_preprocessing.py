import numpy as np
import pytest

from unhans.spray.preprocessing import check_heatmaps, normalise, sum_pool


def test_sum_pooling_adds_up_the_cells():
    maps = np.arange(2 * 6 * 4, dtype=float).reshape(2, 6, 4)
    pooled = sum_pool(maps, (3, 2))
    for n in range(2):
        for i in range(3):
            for j in range(2):
                assert pooled[n, i, j] == maps[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].sum()


def test_sum_pooling_keeps_the_total_where_the_grid_does_not_divide():
    maps = np.random.default_rng(0).normal(size=(3, 28, 17))
    pooled = sum_pool(maps, (20, 5))
    assert pooled.shape == (3, 20, 5)
    np.testing.assert_allclose(pooled.sum((1, 2)), maps.sum((1, 2)))


def test_a_map_with_fewer_pixels_than_the_grid_stays_as_it_is():
    maps = np.random.default_rng(0).normal(size=(2, 8, 6))
    np.testing.assert_array_equal(sum_pool(maps, 28), maps)
    np.testing.assert_allclose(sum_pool(maps, (28, 1))[..., 0], maps.sum(2))


@pytest.mark.parametrize("grid", [0, (8, 0), (-1, 2)])
def test_a_grid_without_cells_is_named(grid):
    with pytest.raises(ValueError, match="pooling must be the size of a grid, 1 or more, got"):
        sum_pool(np.ones((2, 8, 8)), grid)


def test_vectors_cannot_be_pooled():
    with pytest.raises(ValueError, match=r"pooling needs heatmaps of shape \(n, H, W\), got \(2, 8\)"):
        sum_pool(np.ones((2, 8)), 2)


def test_normalisation_is_absolute_and_leaves_zeros():
    maps = np.array([[[1.0, -4.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])  # the signed sum of the first is zero
    np.testing.assert_allclose(normalise(maps, "max")[0], maps[0] / 4)
    np.testing.assert_allclose(normalise(maps, "sum")[0], maps[0] / 8)
    assert not normalise(maps, "max")[1].any()
    assert not normalise(maps, "sum")[1].any()


def test_whole_numbers_and_half_precision_become_double():
    assert check_heatmaps(np.ones((2, 3), dtype=int)).dtype == np.float64
    assert check_heatmaps(np.full((2, 3), 6e4, dtype=np.float16)).sum() == 6 * np.float64(np.float16(6e4))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(value):
    maps = np.ones((5, 2, 2))
    maps[3, 1, 0] = maps[4, 0, 0] = value
    with pytest.raises(ValueError, match="2 of 5 hold NaN or infinity, first number 3"):
        check_heatmaps(maps)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 4), (0, 4), (3, 0, 2)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="heatmaps must have shape"):
        check_heatmaps(np.ones(shape))
