"""Degradations of pictures, and a data module that makes images worse."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from unhans.data import DEGRADATIONS, degrade
from unhans.data.sources import Digits

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
OTHERS = {"jpeg": 30, "blur": 1.5, "downscale": 8, "brightness": 0.5, "contrast": 0.5, "saturation": 0, "gamma": 2}


def pixels(picture):
    return np.asarray(picture, dtype=float)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_each_keeps_the_size_and_changes_pixels(name):
    worse = degrade(PICTURE, {name: OTHERS[name]})
    assert (worse.size, worse.mode) == (PICTURE.size, "RGB")
    assert np.abs(pixels(worse) - pixels(PICTURE)).mean() > 1


def test_some_in_closed_form():
    assert np.abs(pixels(degrade(PICTURE, {"brightness": 0.5})) - 0.5 * pixels(PICTURE)).max() <= 1
    assert np.abs(pixels(degrade(PICTURE, {"gamma": 2})) - pixels(PICTURE) ** 2 / 255).max() <= 1
    assert np.ptp(pixels(degrade(PICTURE, {"saturation": 0})), axis=2).max() == 0
    stored = io.BytesIO()
    PICTURE.save(stored, "jpeg", quality=30)
    assert np.abs(pixels(degrade(PICTURE, {"jpeg": 30})) - pixels(Image.open(stored))).mean() < 1
    assert pixels(degrade(PICTURE, {"blur": 1.5})).std() < 0.5 * pixels(PICTURE).std()
    assert pixels(degrade(PICTURE, {"blur": 500})).shape == (24, 24, 3)  # wider than the picture
    one_after_the_other = degrade(degrade(PICTURE, {"gamma": 2}), {"jpeg": 30})
    assert (pixels(degrade(PICTURE, {"gamma": 2, "jpeg": 30})) == pixels(one_after_the_other)).all()


def test_a_data_module_gives_worse_images_and_knows_them_apart():
    plain, worse = (Digits(image_size=16, max_per_class=2, max_per_class_val=1, degrade=how) for how in (None, OTHERS))
    for data in (plain, worse):
        data.setup()
    assert not torch.allclose(plain.val_set[0].image, worse.val_set[0].image)
    assert plain.val_set.fingerprint([0]) != worse.val_set.fingerprint([0])
    assert (plain.val_set.take(np.array([0])).degrade, worse.val_set.without_augmentation().degrade) == ({}, OTHERS)


SENTENCES = {
    ("jpg", 20): r"data\.degrade expects names of degradations, got 'jpg'; did you mean jpeg\?",
    ("jpeg", 0): r"data\.degrade\.jpeg expects a whole number from 1 to 100, got 0\.",
    ("jpeg", 20.5): r"data\.degrade\.jpeg expects a whole number from 1 to 100, got 20\.5\.",
    ("blur", -1): r"data\.degrade\.blur expects a number from 0\.001 to 1000, got -1\.",
}


@pytest.mark.parametrize(("name", "number"), SENTENCES)
def test_what_cannot_be_is_one_sentence(name, number):
    with pytest.raises(ValueError, match=SENTENCES[name, number]):
        Digits(degrade={name: number})
