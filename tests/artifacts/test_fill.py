import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from unhans.artifacts import PAINTERS, Material, Paste, Remove, dilated, margin, rim_of
from unhans.artifacts.inpainting import paint, unblend, widened

SIZE = 40


def area(top=10, left=14, height=8, width=12, size=SIZE):
    mask = np.zeros((size, size), dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


def smooth_image(size=SIZE):
    rows, columns = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    return torch.stack([0.2 + 0.5 * rows, 0.3 + 0.4 * columns, 0.5 + 0.2 * rows - 0.2 * columns])


@pytest.mark.parametrize("name", [*PAINTERS, "neighbour"])
def test_nothing_of_the_artifact_is_left_and_nothing_else_is_touched(name):
    """Two artifacts in the same area lead to the same result; far from it the image is the image."""
    image, mask, other = smooth_image(), area(), torch.rand(3, SIZE, SIZE)
    red, noise = image.clone(), image.clone()
    red[:, torch.from_numpy(mask)] = torch.tensor([1.0, 0.0, 0.0])[:, None]
    noise[:, torch.from_numpy(mask)] = torch.rand(3, int(mask.sum()))
    remove = Remove(mask, name, Material(neighbour=other))
    torch.testing.assert_close(remove(red), remove(noise), atol=0, rtol=0)
    far = torch.from_numpy(~dilated(mask, margin(mask.shape) + 2 * rim_of(mask.shape)))
    assert torch.equal(remove(red)[:, far], image[:, far])


@pytest.mark.parametrize("name", ["telea", "navier_stokes", "blur"])
def test_a_smooth_image_is_continued(name):
    image = smooth_image()
    error = (Remove(area(), name)(image) - image).abs().max()
    assert error < {"blur": 0.12}.get(name, 0.08)


@pytest.mark.parametrize("name", [*PAINTERS])
def test_one_colour_is_continued(name):
    colour = torch.tensor([51, 102, 204])[:, None, None] / 255
    image, mask = colour.expand(3, SIZE, SIZE).clone(), area()
    image[:, torch.from_numpy(mask)] = 1.0
    torch.testing.assert_close(
        Remove(mask, name)(image), colour.expand(3, SIZE, SIZE), atol=0.02 if name == "telea" else 1e-5, rtol=0
    )


def test_mean_is_that_of_the_pixels_outside():
    image, mask = torch.rand(3, SIZE, SIZE), area()
    result = paint("mean", image, mask)
    for channel in range(3):
        outside = [float(image[channel, i, j]) for i, j in np.argwhere(~mask)]
        assert float(result[channel, 12, 16]) == pytest.approx(sum(outside) / len(outside), abs=1e-5)


def test_blur_is_the_normalised_convolution():
    """Literally: the Gaussian mean over the pixels outside; far from the image's ends, which are mirrored."""
    image, mask = torch.rand(3, 60, 60), area(28, 28, 3, 3, 60)
    sigma = 0.03 * 60  # the depth of the mask, 2, is less than twice that
    result = paint("blur", image, mask)
    rows, columns = np.meshgrid(np.arange(60), np.arange(60), indexing="ij")
    weights = np.exp(-((rows - 29) ** 2 + (columns - 28) ** 2) / (2 * sigma**2)) * ~mask
    slow = [(channel.numpy() * weights).sum() / weights.sum() for channel in image]
    assert result[:, 29, 28].numpy() == pytest.approx(slow, abs=2e-4)


def test_blur_reaches_into_the_largest_mask():
    mask = np.ones((SIZE, SIZE), dtype=bool)
    mask[0, 0] = False
    image = torch.rand(3, SIZE, SIZE)
    result = paint("blur", image, mask)
    torch.testing.assert_close(result[:, -1, -1], image[:, 0, 0])


def test_neighbour_lends_its_pixels():
    image, other, mask = torch.rand(3, SIZE, SIZE), torch.rand(3, SIZE, SIZE), area()
    inner = torch.from_numpy(widened(mask))
    assert torch.equal(Remove(mask, "neighbour", Material(neighbour=other))(image)[:, inner], other[:, inner])


def test_truth_is_the_image_itself():
    truth = torch.rand(3, SIZE, SIZE)
    assert torch.equal(Remove(area(), "truth", Material(truth=truth))(torch.rand(3, SIZE, SIZE)), truth)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_unblend_undoes_paste(alpha):
    image, layer = torch.rand(3, SIZE, SIZE), torch.rand(4, SIZE, SIZE)
    layer[3] = torch.from_numpy(area()) * alpha
    torch.testing.assert_close(unblend(Paste(layer)(image), layer), image, atol=1e-5, rtol=0)
    assert not torch.allclose(Paste(layer)(image), image, atol=1e-2)


def test_unblend_inpaints_what_is_opaque():
    image, layer = smooth_image(), torch.zeros(4, SIZE, SIZE)
    layer[3] = torch.from_numpy(0.5 * area(8, 8, 16, 16) + 0.5 * area(12, 12, 6, 6))
    result = Remove(area(8, 8, 16, 16), "unblend", Material(layer=layer))(Paste(layer)(image))
    assert (result - image).abs().max() < 0.08


def test_the_mask_is_widened_by_a_hundredth_of_the_side():
    assert [margin((side, 300)) for side in (8, 32, 224, 300)] == [1, 1, 2, 3]
    mask = area(100, 50, 20, 10, 224)
    assert np.array_equal(widened(mask), area(98, 48, 24, 14, 224))


def test_the_rim_is_soft():
    image, mask = torch.zeros(3, 224, 224), area(100, 50, 40, 40, 224)
    other = Material(neighbour=torch.ones(3, 224, 224))
    profile = Remove(mask, "neighbour", other)(image)[0, 120, 40:60].tolist()
    assert profile[8:] == [1.0] * 12  # from two pixels before the mask
    assert 0 < profile[6] < profile[7] < 1
    assert profile[:6] == [0.0] * 6


def test_batches_and_kinds_of_tensors():
    images = torch.rand(2, 3, SIZE, SIZE)
    remove = Remove(area(), "mean")
    assert torch.equal(remove(images)[1], remove(images[1]))
    assert isinstance(remove(tv_tensors.Image(images[0])), tv_tensors.Image)
    mask = tv_tensors.Mask(torch.ones(SIZE, SIZE))
    assert torch.equal(remove(images[0], mask)[1], mask)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((np.zeros((SIZE, SIZE), bool),), "must cover something to fill, got one that is empty"),
        ((np.ones((SIZE, SIZE), bool),), r"must leave something .* covers 100% of it and, widened by 1 pixels, every"),
        ((area(1, 1, SIZE - 2, SIZE - 2),), "must leave something of the image to fill from, got one that covers 90%"),
        ((area(), "paint"), "a fill must be one of telea, .*, got 'paint'"),
        ((area(), "neighbour"), "'neighbour' needs neighbour among its material, got none"),
        ((area(), "truth"), "'truth' needs truth among its material, got none"),
        ((area(), "unblend"), "'unblend' needs layer among its material, got none"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Remove(*arguments)


def test_a_mask_fits_images_of_its_size():
    with pytest.raises(
        ValueError, match=r"a mask fits images of its own size: expected \(40, 40\) pixels, got \(8, 8\)"
    ):
        Remove(area())(torch.zeros(3, 8, 8))
