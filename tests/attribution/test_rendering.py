"""Batches of heatmaps as one picture."""

import numpy as np
import pytest
import torch

import unhans.attribution
from unhans.attribution import COLOUR_MAPS, colorize, enlarge, grid, overlay, picture, render, scale

GREY = np.full((1, 3, 3), 100, np.uint8)


def test_a_picture_of_any_layout():
    image = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    expected = np.rint(255 * image.transpose(1, 2, 0))
    for given in (image, image.transpose(1, 2, 0), torch.tensor(image)):
        np.testing.assert_array_equal(picture(given), expected)
    for given in (image[0], image[:1], image[0][..., None]):
        np.testing.assert_array_equal(picture(given), np.stack([expected[..., 0]] * 3, -1))


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((2, 4, 4)), r"\(3, H, W\) or \(H, W, 3\); got \(4, 4, 2\)|got \(2, 4, 4\)"),
        (np.full((3, 4, 4), 7), "from 7 to 7"),
        (np.full((3, 4, 4), np.nan), "nan"),
    ],
)
def test_what_is_no_picture_is_refused(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        picture(image)


def test_pixels_are_repeated():
    assert enlarge(np.array([[1, 2]]), (2, 6)).tolist() == [[1, 1, 1, 2, 2, 2]] * 2
    assert enlarge(np.zeros((5, 2, 3)), (2, 3)).shape == (5, 2, 3)
    with pytest.raises(ValueError, match="A heatmap of 2×3 pixels does not divide an image of 4×7"):
        enlarge(np.zeros((2, 3)), (4, 7))


def test_an_overlay_covers_the_grey_image_where_there_is_relevance():
    image = np.array([[[255, 0, 0], [100, 100, 100], [0, 0, 255], [100, 100, 100]]], np.uint8)
    laid = overlay(image, np.array([[0, 1, 0, -0.25]]), alpha=1.0)
    assert laid[0].tolist() == [[76, 76, 76], [255, 255, 0], [29, 29, 29], [50, 50, 178]]


def test_alpha_is_the_most_that_is_covered():
    for alpha in (0.0, 0.5, 1.0):
        laid = overlay(GREY, np.array([[1, -1, 0.5]]), alpha=alpha)
        colours = np.array([[255, 255, 0], [0, 255, 255], [255, 0, 0]])
        np.testing.assert_array_equal(laid[0], np.rint((1 - alpha) * 100 + alpha * colours))
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        overlay(GREY, np.zeros((1, 3)), alpha=1.5)


@pytest.mark.parametrize("cmap", sorted(COLOUR_MAPS))
def test_without_relevance_only_the_image_is_seen(cmap):
    np.testing.assert_array_equal(overlay(GREY, np.zeros((1, 3)), cmap), GREY)


def test_a_grid_is_tiles_with_white_between():
    tiles = [[np.full((1, 2, 3), 10 * row + column, np.uint8) for column in range(2)] for row in range(2)]
    joined = grid(tiles, gap=1)
    assert joined.dtype == np.uint8
    assert joined[..., 1].tolist() == [[0, 0, 255, 1, 1], [255] * 5, [10, 10, 255, 11, 11]]
    assert grid(tiles, gap=0)[..., 0].tolist() == [[0, 0, 1, 1], [10, 10, 11, 11]]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[]],
        [[np.zeros((2, 2, 3))], [np.zeros((2, 3, 3))]],
        [[np.zeros((2, 2, 3))], [np.zeros((2, 2, 3)), np.zeros((2, 2, 3))]],
    ],
)
def test_a_ragged_grid_is_refused(rows):
    with pytest.raises(ValueError, match="rows of one length with tiles of one size"):
        grid(rows)


@pytest.fixture
def batch():
    random = np.random.default_rng(1)
    return random.random((3, 3, 4, 6)), random.normal(size=(2, 3, 4, 6)) * np.array([1, 3, 9])[:, None, None]


@pytest.mark.parametrize("joint", [False, True])
def test_a_row_is_image_heatmap_and_overlay(batch, joint):
    images, maps = batch
    drawn = render(images, maps[0], joint=joint, cmap="bwr", alpha=0.7, gap=2)
    assert drawn.shape == (3 * 4 + 2 * 2, 3 * 6 + 2 * 2, 3)
    assert drawn.dtype == np.uint8
    for i in range(3):
        largest = max(abs(value) for value in (maps[0] if joint else maps[0][i]).ravel())
        top = 6 * i
        image, heatmap, laid = (drawn[top : top + 4, left : left + 6] for left in (0, 8, 16))
        np.testing.assert_array_equal(image, picture(images[i]))
        np.testing.assert_array_equal(heatmap, colorize(maps[0][i] / largest, "bwr"))
        np.testing.assert_array_equal(laid, overlay(picture(images[i]), maps[0][i] / largest, "bwr", 0.7))


def test_methods_stand_side_by_side_each_scaled_for_itself(batch):
    images, maps = batch
    both = render(torch.tensor(images), torch.tensor(maps), joint=True, gap=0)
    for j, left in enumerate((6, 18)):
        ours = both[:, left : left + 6].reshape(3, 4, 6, 3)
        np.testing.assert_array_equal(ours, colorize(scale(maps[j], joint=True)))
    np.testing.assert_array_equal(
        render(images, maps * np.array([1, 50])[:, None, None, None], joint=True, gap=0), both
    )


def test_one_sample_and_maps_that_were_summed(batch):
    images, maps = batch
    drawn = render(images[:1, :1], maps[0, :1, ::2, ::3], gap=0)
    np.testing.assert_array_equal(drawn[:, 6:12], colorize(enlarge(scale(maps[0, 0, ::2, ::3]), (4, 6))))


def test_what_does_not_fit_is_refused(batch):
    images, maps = batch
    with pytest.raises(ValueError, match=r"one heatmap per image \(2\); got the shape \(1, 3, 4, 6\)"):
        render(images[:2], maps[0])
    with pytest.raises(ValueError, match="got 'jet'"):
        render(images, maps, cmap="jet")


def test_everything_is_reachable_from_the_package():
    for name in ("render", "grid", "overlay", "class_means", "picture", "enlarge", "COLOUR_MAPS"):
        assert name in unhans.attribution.__all__
