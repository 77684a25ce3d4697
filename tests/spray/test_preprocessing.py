import numpy as np
import pytest
import torch

from unhans.spray import sum_pool
from unhans.spray.pooling import ROWS, normalise, prepare


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


def test_smoothing_is_a_gaussian_that_keeps_the_total():
    maps = np.zeros((2, 31, 27))
    maps[0, 15, 13], maps[1, 0, 2] = 2.0, -3.0
    found = prepare(maps, smoothing=1.5)
    y, x = np.mgrid[-15:16, -13:14]
    gauss = np.exp(-(y**2 + x**2) / (2 * 1.5**2))
    np.testing.assert_allclose(found[0], 2 * gauss / gauss.sum(), atol=2e-4)  # it is cut off at four deviations
    np.testing.assert_allclose(found.sum((1, 2)), [2, -3])
    np.testing.assert_allclose(prepare(maps, 7, "max", 1.5), normalise(sum_pool(found, 7), "max"))
    np.testing.assert_array_equal(prepare(maps, smoothing=0), maps)


def test_vectors_cannot_be_smoothed():
    with pytest.raises(ValueError, match=r"smoothing needs heatmaps of shape \(n, H, W\), got \(2, 8\)"):
        prepare(np.ones((2, 8)), smoothing=1)


def test_vectors_cannot_be_pooled():
    with pytest.raises(ValueError, match=r"pooling needs heatmaps of shape \(n, H, W\), got \(2, 8\)"):
        sum_pool(np.ones((2, 8)), 2)


def test_normalisation_is_absolute_and_leaves_zeros():
    maps = np.array([[[1.0, -4.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])  # the signed sum of the first is zero
    np.testing.assert_allclose(normalise(maps, "max")[0], maps[0] / 4)
    np.testing.assert_allclose(normalise(maps, "sum")[0], maps[0] / 8)
    assert not normalise(maps, "max")[1].any()
    assert not normalise(maps, "sum")[1].any()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (np.int64, np.float64),
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.uint8, np.float32),
        (np.bool_, np.float32),
    ],
)
def test_what_is_read_becomes_single_or_double_precision(given, found):
    maps = np.random.default_rng(0).integers(0, 2, size=(3, 4, 4)).astype(given)
    for pooling in (None, 2):
        assert prepare(maps, pooling).dtype == found
    np.testing.assert_array_equal(prepare(maps, 2), sum_pool(maps.astype(np.float64), 2))


def test_half_precision_does_not_overflow_when_pooled():
    assert prepare(np.full((2, 4, 4), 6e4, dtype=np.float16), 1).sum() == 32 * np.float32(np.float16(6e4))


def test_floating_point_maps_are_not_copied_where_there_is_nothing_to_do():
    maps = np.ones((3, 4, 4), dtype=np.float32)
    assert prepare(maps) is maps


class Reader:
    """Heatmaps on a disk: they can only be sliced."""

    def __init__(self, maps):
        self.maps, self.shape, self.read = maps, maps.shape, []

    def __len__(self):
        return len(self.maps)

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        self.read.append(len(self.maps[rows]))
        return self.maps[rows]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_reader_is_read_block_by_block_with_the_same_result(dtype):
    maps = np.random.default_rng(0).normal(size=(2 * ROWS + 3, 6, 5)).astype(dtype)
    reader = Reader(maps)
    found = prepare(reader, (3, 2), "max")
    np.testing.assert_allclose(found, normalise(sum_pool(maps.astype(found.dtype), (3, 2)), "max"))
    assert reader.read == [ROWS, ROWS, 3]


def test_lists_and_tensors_are_read():
    maps = np.random.default_rng(0).normal(size=(3, 4, 4))
    np.testing.assert_array_equal(prepare(maps.tolist(), 2), prepare(maps, 2))
    np.testing.assert_array_equal(prepare(torch.from_numpy(maps), 2), prepare(maps, 2))


@pytest.mark.parametrize("maps", [np.full((2, 3), "a"), np.ones((2, 3), dtype=complex)])
def test_what_are_no_numbers_is_refused(maps):
    with pytest.raises(ValueError, match="heatmaps must hold real numbers, got values of type"):
        prepare(maps)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(value):
    maps = np.ones((5, 2, 2))
    maps[3, 1, 0] = maps[4, 0, 0] = value
    for pooling in (None, 1):
        with pytest.raises(ValueError, match="2 of 5 hold NaN or infinity, first number 3"):
            prepare(maps, pooling, pooling and "max")


def test_broken_maps_of_every_block_are_counted():
    maps = np.ones((ROWS + 5, 4), dtype=np.float32)
    maps[[3, ROWS + 1]] = np.nan
    for normalisation in (None, "sum"):
        with pytest.raises(ValueError, match=f"2 of {ROWS + 5} hold NaN or infinity, first number 3"):
            prepare(maps, None, normalisation)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 4), (0, 4), (3, 0, 2)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="heatmaps must have shape"):
        prepare(np.ones(shape))
