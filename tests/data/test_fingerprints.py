"""By what images are known again: files of torchvision's folders without reading them, all others by their pixels."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset, TensorDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import functional

from unhans.data import fingerprint_of

ALL = np.arange(6)


@pytest.fixture
def folder(tmp_path):
    """Six pictures of two classes; a function that gives them as torchvision does, and the paths that it read."""
    for number in range(6):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (40 * number, 0, 0)).save(path)
    read = []

    def make(of=ImageFolder, transform=functional.to_tensor):
        found = of(tmp_path / "photos", transform)
        load = found.loader
        found.loader = lambda path: (read.append(path), load(path))[1]
        return found

    return make, read


def test_of_a_folder_one_sample_is_read(folder):
    make, read = folder
    fingerprint_of(make(), ALL)
    assert len(read) == 1


@pytest.mark.parametrize("change", ["size", "time", "transform", "label", "samples", "order"])
def test_what_changes_a_folder_changes_its_fingerprint(change, folder):
    make, _ = folder
    before, images = fingerprint_of(make(), ALL), make()
    assert fingerprint_of(images, ALL) == before
    path, label = images.samples[5]
    chosen = {"samples": ALL[:5], "order": ALL[[0, 1, 2, 3, 5, 4]]}.get(change, ALL)
    if change == "size":
        Image.new("RGB", (5, 5)).save(path)
    elif change == "time":
        os.utime(path, (1, 1))
    elif change == "transform":
        images = make(transform=lambda image: 1 - functional.to_tensor(image))
    elif change == "label":
        images.samples[5] = path, 1 - label
    assert fingerprint_of(images, chosen) != before


def test_items_that_a_subclass_makes_are_read(folder):
    """The files do not tell what it does with them."""

    class Marked(ImageFolder):
        mark = 1.0

        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image.index_fill(1, torch.tensor([0]), self.mark) if index == 5 else image, label

    make, read = folder
    before = fingerprint_of(make(Marked), ALL)
    assert len(read) == 6
    Marked.mark = 0.5
    assert fingerprint_of(make(Marked), ALL) != before


def test_processes_that_read_find_the_same():
    images = TensorDataset(torch.rand(6, 3, 4, 4), torch.arange(6) % 2)
    state = torch.random.get_rng_state()
    assert fingerprint_of(images, ALL, num_workers=1) == fingerprint_of(images, ALL)
    assert fingerprint_of(Subset(images, [5, 4]), ALL[:2]) == fingerprint_of(images, ALL[[5, 4]])
    assert fingerprint_of(images, ALL[::-1]) != fingerprint_of(images, ALL)
    assert torch.equal(torch.random.get_rng_state(), state)
