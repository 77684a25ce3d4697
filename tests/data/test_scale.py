"""Between images as a network takes them and images in [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset
from torchvision import transforms
from torchvision.transforms import v2

from unhans.data import Arrays, Collection, ImageDataset, PixelScale, TrainValUnion, display_images, pixel_scale
from unhans.data.image_list import numbered_names

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


class Photos(Dataset):
    """Somebody's data set: pixels, a transform that is applied to them, labels."""

    def __init__(self, transform, channels=3, n=6):
        self.pixels = torch.rand(n, channels, 5, 7, generator=torch.Generator().manual_seed(0))
        self.pixels[0, 0, 0, 0], self.pixels[1, 0, 0, 0] = 0, 1
        self.transform = transform

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        return self.transform(self.pixels[index]), index % 2


class Wrapped(Dataset):
    """A part of another data set with a transform of its own, as people write them after random_split."""

    def __init__(self, dataset, transform):
        self.dataset, self.transform = dataset, transform

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        image, label = self.dataset[index]
        return self.transform(image), label


def shown_of(dataset):
    """All images of a data set on the scale that is found for it, that scale, and the images themselves."""
    images = torch.stack([dataset[i][0] for i in range(len(dataset))])
    scale = pixel_scale(dataset, 0)
    return scale.to_display(images), scale, images


NORMALIZE = {
    "old": transforms.Normalize(MEAN, STD),
    "v2": v2.Normalize(MEAN, STD),
    "old, composed": transforms.Compose([transforms.Pad(0), transforms.Normalize(MEAN, STD)]),
    "v2, composed twice": v2.Compose([v2.Identity(), v2.Compose([v2.Normalize(MEAN, STD)])]),
    "a sequential": nn.Sequential(v2.Identity(), v2.Normalize(MEAN, STD)),
}


@pytest.mark.parametrize("name", NORMALIZE)
def test_a_normalize_is_found_and_undone(name):
    dataset = Photos(NORMALIZE[name])
    shown, scale, images = shown_of(dataset)
    for i in range(len(dataset)):  # pixel by pixel, from the definition
        for c in range(3):
            slow = [float(x) * STD[c] + MEAN[c] for x in images[i, c].flatten()]
            assert shown[i, c].flatten().tolist() == pytest.approx(slow, abs=1e-6)
    torch.testing.assert_close(shown, dataset.pixels)
    torch.testing.assert_close(scale.to_model(shown), images)
    assert scale.source == "Normalize"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda d: Subset(Subset(d, range(6)), [0, 1, 3]),
        lambda d: ConcatDataset([d, d]),
        lambda d: Wrapped(d, v2.Identity()),
    ],
    ids=["Subset", "ConcatDataset", "their own"],
)
def test_a_normalize_is_found_through_wrappers(wrap):
    dataset = wrap(Photos(v2.Normalize(MEAN, STD)))
    assert pixel_scale(dataset, 0, np.arange(2)).mean.tolist() == pytest.approx(MEAN)


def test_a_normalize_of_the_outer_data_set_is_found():
    shown, _, _ = shown_of(Wrapped(Photos(v2.Identity()), transforms.Normalize(MEAN, STD)))
    torch.testing.assert_close(shown, Photos(v2.Identity()).pixels)


def test_torchvisions_own_data_sets_keep_it_in_transforms():
    from torchvision.datasets.vision import StandardTransform

    dataset = Photos(v2.Normalize(MEAN, STD))
    dataset.transforms = StandardTransform(dataset.transform)
    assert pixel_scale(dataset, 0).std.tolist() == pytest.approx(STD)  # the same one, found twice


def test_one_number_stands_for_three_channels():
    _, scale, images = shown_of(Photos(v2.Normalize((0.5,), (0.25,))))
    assert scale.mean.tolist() == [0.5] * 3
    assert scale.to_model(scale.to_display(images)).shape == images.shape


def test_grey_images_become_three_equal_channels_and_their_mean_goes_back():
    shown, scale, images = shown_of(Photos(transforms.Normalize((0.5,), (0.25,)), channels=1))
    assert shown.shape == (6, 3, 5, 7)
    assert torch.equal(shown[:, 0], shown[:, 2])
    torch.testing.assert_close(scale.to_model(shown), images)
    coloured = torch.tensor([0.9, 0.3, 0.0]).view(1, 3, 1, 1)
    assert float(scale.to_model(coloured)) == pytest.approx((0.4 - 0.5) / 0.25)


@pytest.mark.parametrize("channels", [1, 3])
def test_without_a_normalize_one_linear_map_is_estimated_and_told(channels):
    dataset = Photos(lambda x: 7 * x - 3, channels)
    shown, scale, images = shown_of(dataset)
    torch.testing.assert_close(shown, dataset.pixels.expand(-1, 3, -1, -1))
    torch.testing.assert_close(scale.to_model(shown), images)
    assert scale.source == "estimated"


def test_images_that_lie_in_0_1_are_left_alone():
    dataset = Photos(lambda x: 0.1 + 0.6 * x)
    shown, scale, images = shown_of(dataset)
    assert torch.equal(shown, images)
    assert scale.source == "unit range"


def test_a_normalize_that_is_not_the_whole_story_is_not_believed():
    dataset = Photos(v2.Compose([v2.Normalize(MEAN, STD), v2.Lambda(lambda x: 10 * x)]))
    shown, scale, _ = shown_of(dataset)
    assert scale.source == "estimated"
    assert (float(shown.min()), float(shown.max())) == pytest.approx((0, 1), abs=1e-6)
    two = Photos(v2.Compose([v2.Normalize(MEAN, STD), v2.Normalize(STD, MEAN)]))
    assert pixel_scale(two, range(6)).source == "estimated"


def test_our_own_data_sets_know_it():
    images = np.random.default_rng(0).integers(256, size=(6, 8, 8, 3), dtype=np.uint8)
    ours = ImageDataset(Collection(Arrays(images, numbered_names("x", 6)), np.arange(6) % 2, ["a", "b"]), 8, MEAN, STD)
    for dataset in (ours, TrainValUnion(ours, ours), Subset(ours, [3, 4])):
        scale = pixel_scale(dataset, [])
        torch.testing.assert_close(scale.to_model(ours.plain(3)[None]), ours[3].image[None])
        torch.testing.assert_close(scale.to_display(ours[3].image[None]), ours.plain(3)[None])


def test_what_lies_outside_is_cut_off():
    scale = PixelScale(torch.tensor([0.5]), torch.tensor([0.5]))
    assert scale.to_display(torch.tensor([-1.5, 0, 1.5]).view(1, 1, 1, 3))[0, 0].tolist() == [[0, 0.5, 1]]


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (TensorDataset(torch.ones(3, 3, 4, 4), torch.zeros(3)), "finite values that differ, got values from 1 to 1"),
        (TensorDataset(torch.full((3, 3, 4, 4), torch.nan), torch.zeros(3)), "finite values that differ"),
        (TensorDataset(torch.rand(3, 5, 4, 4), torch.zeros(3)), r"one or three channels, got \[\(5, 4, 4\)\]"),
        (TensorDataset(torch.rand(3, 9), torch.zeros(3)), r"got \[\(9,\)\]"),
        ([None, None, None], "got no sample that can be read"),
    ],
    ids=["constant", "NaN", "five channels", "vectors", "unreadable"],
)
def test_what_has_no_scale_is_refused_in_a_sentence(dataset, sentence):
    with pytest.raises(ValueError, match=sentence):
        pixel_scale(dataset, range(3))


def test_bad_numbers_and_images_are_refused():
    with pytest.raises(ValueError, match="one or three channels"):
        PixelScale(torch.zeros(2), torch.ones(2))
    with pytest.raises(ValueError, match="stds above 0"):
        PixelScale(torch.zeros(3), torch.tensor([1.0, 0, 1]))
    with pytest.raises(ValueError, match=r"shape \(n, 3, H, W\).*got \(2, 1, 4, 4\)"):
        PixelScale(torch.zeros(3), torch.ones(3)).to_display(torch.zeros(2, 1, 4, 4))


def test_images_are_looked_at_on_their_own_scale():
    dataset = Photos(transforms.Normalize(MEAN, STD))
    images = torch.stack([dataset[i][0] for i in (2, 3)])
    torch.testing.assert_close(display_images(dataset, images), dataset.pixels[2:4])
    unknown = display_images(TensorDataset(images), images)
    assert unknown.amin((1, 2, 3)).tolist() == [0, 0]
    assert unknown.amax((1, 2, 3)).tolist() == [1, 1]
