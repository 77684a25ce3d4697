"""Heatmaps as pictures."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps

from unhans.attribution import (
    COLOUR_MAPS,
    check_colour_map,
    class_means,
    colorize,
    enlarge,
    overlay,
    picture,
    scale,
    seen_through,
    sum_channels,
    with_difference,
)

KINDS = [np.asarray, torch.as_tensor]


@pytest.mark.parametrize("kind", KINDS)
def test_channels_are_summed_with_their_signs(kind):
    relevance = np.zeros((2, 3, 1, 2), np.float32)
    relevance[1, :, 0, 1] = 5, -7, 1
    assert sum_channels(kind(relevance)).tolist() == [[[0, 0]], [[0, -1]]]


def test_relevance_without_channels_is_refused():
    with pytest.raises(ValueError, match=r"\(n, C, H, W\); got \(2, 4, 4\)"):
        sum_channels(np.zeros((2, 4, 4)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("joint", [False, True])
def test_scale_divides_by_the_largest_absolute_relevance(kind, joint):
    maps = np.random.default_rng(0).normal(size=(5, 4, 6)).astype(np.float32)
    maps[2] *= 1e-30
    scaled = np.asarray(scale(kind(maps), joint))
    for i in range(5):
        largest = max(abs(value) for value in (maps if joint else maps[i]).ravel())
        np.testing.assert_allclose(scaled[i], maps[i] / largest, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("joint", [False, True])
def test_a_map_of_zeros_stays_zero(kind, joint):
    maps = np.zeros((2, 3, 3), np.float32)
    assert not np.asarray(scale(kind(maps), joint)).any()
    maps[1, 0, 0] = -4
    scaled = np.asarray(scale(kind(maps), joint))
    assert not scaled[0].any()
    assert scaled[1, 0, 0] == -1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_relevance_that_is_not_finite_is_refused(kind, value):
    maps = np.ones((3, 2, 2), np.float32)
    maps[1, 0, 1] = value
    with pytest.raises(ValueError, match="must be finite"):
        scale(kind(maps))


def test_scale_leaves_its_input_alone():
    maps = np.full((1, 2, 2), 3.0)
    scale(maps)
    assert (maps == 3).all()


def test_hot_cold_is_black_at_zero_hot_above_and_cold_below():
    colours = colorize(np.array([[-1, -0.5, 0, 0.5, 1]]))
    assert colours.dtype == np.uint8
    assert colours[0].tolist() == [[0, 255, 255], [0, 0, 255], [0, 0, 0], [255, 0, 0], [255, 255, 0]]


def test_seismic_is_that_of_matplotlib():
    values = np.linspace(-1, 1, 511).reshape(7, 73)
    theirs = 255 * colormaps["seismic"](values / 2 + 0.5)[..., :3]
    assert np.abs(colorize(values, "seismic") - theirs).max() < 4  # theirs has 256 steps


@pytest.mark.parametrize("cmap", sorted(COLOUR_MAPS))
def test_more_relevance_is_never_the_same_colour(cmap):
    colours = colorize(np.linspace(-1, 1, 200).reshape(1, -1), cmap)[0]
    assert len(np.unique(colours, axis=0)) == 200


def test_tensors_are_coloured_like_arrays():
    maps = torch.linspace(-1, 1, 24).reshape(2, 3, 4).requires_grad_()
    assert (colorize(maps) == colorize(maps.detach().numpy())).all()
    assert colorize(maps).shape == (2, 3, 4, 3)


@pytest.mark.parametrize("value", [1.5, -3, np.nan])
def test_maps_that_were_not_scaled_are_refused(value):
    with pytest.raises(ValueError, match=r"scaled to \[-1, 1\]"):
        colorize(np.array([[0, value]]))


def test_an_unknown_colour_map_is_refused():
    with pytest.raises(ValueError, match="got 'jet'"):
        check_colour_map("jet")
    with pytest.raises(ValueError, match=r"one of hot-cold, seismic, .*; got 'jet'"):
        colorize(np.zeros((2, 2)), "jet")


ENDS = {
    "hot-cold": ((0, 255, 255), (0, 0, 0), (255, 255, 0)),
    "seismic": ((0, 0, 76), (255, 255, 255), (128, 0, 0)),
    "bwr": ((0, 0, 255), (255, 255, 255), (255, 0, 0)),
    "blue-orange": ((8, 48, 107), (255, 255, 255), (128, 46, 5)),
    "purple-orange": ((46, 0, 74), (247, 247, 247), (128, 59, 8)),
    "ice-ember": ((191, 242, 255), (0, 0, 0), (255, 235, 153)),
    "grey": ((0, 0, 0), (128, 128, 128), (255, 255, 255)),
}


@pytest.mark.parametrize("cmap", sorted(COLOUR_MAPS))
def test_colours_at_the_ends_and_at_zero(cmap):
    assert colorize(np.array([[-1.0, 0, 1]]), cmap)[0].tolist() == [list(colour) for colour in ENDS[cmap]]


@pytest.mark.parametrize("cmap", sorted(COLOUR_MAPS))
def test_zero_is_without_colour_and_both_sides_leave_it_alike(cmap):
    values = np.linspace(0, 0.5, 50)[None]
    above, below = colorize(values, cmap).astype(int)[0], colorize(-values, cmap).astype(int)[0]
    neutral = above[0]
    assert len(set(neutral.tolist())) == 1
    for side in (above, below):
        steps = np.abs(side - neutral).sum(1)
        assert (np.diff(steps) >= 0).all()
        assert steps[-1] > 60
    assert np.abs(above[-1] - below[-1]).sum() > 100


def test_class_means_of_maps_scaled_one_by_one_and_jointly():
    maps = np.array([[[2, 0]], [[0, -8]], [[4, 4]]], np.float32)
    labels = np.array([5, 1, 5])
    alone, together = class_means(maps, labels), class_means(maps, labels, joint=True)
    assert list(alone) == list(together) == [1, 5]
    assert alone[1].tolist() == [[0, -1]]
    assert alone[5].tolist() == [[1, 0.5]]
    assert together[1].tolist() == [[0, -1]]
    assert together[5].tolist() == [[0.375, 0.25]]


def test_class_means_need_a_label_per_map():
    with pytest.raises(ValueError, match=r"one label per heatmap \(2\); got labels of shape \(3,\)"):
        class_means(np.zeros((2, 4, 4)), np.zeros(3, int))


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


def test_positive_relevance_is_the_images_alpha():
    image = np.array([[[100, 0, 200]] * 4], np.uint8)
    seen = seen_through(image, np.array([[1, 0.5, 0, -1]]))
    assert seen[0].tolist() == [[100, 0, 200], [178, 128, 228], [255] * 3, [255] * 3]


def test_a_difference_is_signed_and_stands_beside_both():
    first, second = np.array([[[1.0, -2.0]]]), np.array([[[3.0, 1.0]]])
    np.testing.assert_array_equal(with_difference(first, second), [first, second, [[[-2.0, -3.0]]]])
    with pytest.raises(ValueError, match="A difference needs heatmaps of one shape"):
        with_difference(first, second[0])
