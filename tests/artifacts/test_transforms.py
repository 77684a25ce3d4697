"""Transforms of whole images: closed forms, round trips, records."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from unhans.artifacts import ChannelMap, Field, Jpeg, Spectrum
from unhans.isolation import from_record, record_of
from unhans.report.text.isolation_text import transform_said

KNOTS = torch.linspace(0, 1, 33)
CAST = ChannelMap(torch.stack([0.6 * KNOTS, KNOTS, KNOTS**2]))


def images_of(n=4, height=24, width=32, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((n, 3, height, width), dtype=np.float32))


def flat(gain=1.0, noise=0.0):
    return Spectrum(torch.full((3, 33), gain), torch.full((3, 33), noise), torch.ones(3, 33))


def field(gain=0.7, offset=0.1):
    return Field(torch.full((3, 24, 32), gain), torch.full((3, 24, 32), offset))


EVERY = {"curves": CAST, "field": field(), "spectrum": flat(0.5, 0.02), "jpeg": Jpeg(30)}


def test_curves_are_linear_between_their_knots():
    images = images_of()
    changed = CAST.apply(images)
    for channel in range(3):
        slow = np.interp(images[:, channel].numpy(), KNOTS.numpy(), CAST.curves[channel].numpy())
        np.testing.assert_allclose(changed[:, channel].numpy(), slow, atol=1e-6)


def test_curves_are_undone_where_they_rise():
    images = images_of()
    torch.testing.assert_close(CAST.undo(CAST.apply(images)), images, atol=2e-3, rtol=0)


def test_what_was_cut_off_comes_back_in_the_middle():
    curve = (2 * KNOTS).clamp(max=1)
    bright = ChannelMap(curve.expand(3, -1).clone())
    image = torch.full((1, 3, 4, 4), 0.9)
    assert bright.apply(image).unique().item() == 1
    assert bright.undo(bright.apply(image)).unique().item() == pytest.approx(0.75)


def test_a_field_multiplies_and_adds_and_is_undone():
    images, weak = images_of(), field()
    torch.testing.assert_close(weak.apply(images), 0.7 * images + 0.1)
    torch.testing.assert_close(weak.undo(weak.apply(images)), images)
    with pytest.raises(ValueError, match=r"its own size: expected \(24, 32\) pixels, got \(8, 8\)"):
        weak.apply(torch.zeros(1, 3, 8, 8))


def test_a_gain_of_one_changes_no_frequency():
    images = images_of()
    torch.testing.assert_close(flat().apply(images), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(flat().undo(images), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cycles", [2, 5, 10])
def test_a_wave_is_multiplied_by_the_gain_of_its_frequency(cycles):
    """On a long wave, away from the sides: x → ½ + gain(f)·a·cos, the gain linear between the knots."""
    side = 64
    wave = 0.3 * torch.cos(2 * torch.pi * cycles / side * (torch.arange(side) + 0.5))
    image = (0.5 + wave).expand(1, 3, side, side).clone()
    gain = torch.linspace(1, 0.2, 33).expand(3, -1).clone()
    changed = Spectrum(gain, torch.zeros(3, 33), torch.ones(3, 33)).apply(image)
    expected = float(np.interp(cycles / side, np.linspace(0, 0.5**0.5, 33), gain[0]))
    inside = slice(16, 48)
    torch.testing.assert_close(changed[0, 0, 32, inside] - 0.5, expected * wave[inside], atol=0.02, rtol=0)


def test_a_blur_that_leaves_something_is_undone():
    blur = Spectrum(torch.linspace(1, 0.3, 33).expand(3, -1).clone(), torch.zeros(3, 33), torch.ones(3, 33))
    images = torch.nn.functional.avg_pool2d(images_of(height=30, width=38), 7, 1)
    lost = (blur.apply(images) - images).abs().mean()
    assert (blur.undo(blur.apply(images)) - images).abs().mean() < 0.4 * lost


def test_noise_has_its_strength_and_follows_from_the_image_alone():
    images, grain = torch.full((3, 3, 64, 64), 0.5), flat(noise=0.05)
    images[1] += 0.1
    changed = grain.apply(images)
    assert float((changed - images).std()) == pytest.approx(0.05, rel=0.05)
    torch.testing.assert_close(grain.apply(images[1:2]), changed[1:2])
    assert not torch.equal(changed[0] - images[0], changed[1] - images[1])


def test_jpeg_is_that_of_pillow():
    from PIL import Image
    from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

    image = (images_of(1) * 255).round() / 255
    file = io.BytesIO()
    to_pil_image(image[0]).save(file, format="JPEG", quality=30)
    expected = pil_to_tensor(Image.open(file).convert("RGB")) / 255
    torch.testing.assert_close(Jpeg(30).apply(image)[0], expected)


def test_undoing_jpeg_softens_seams_and_nothing_else():
    ramp = torch.linspace(0.4, 0.5, 4).repeat_interleave(8).expand(1, 3, 32, 32).clone()  # blocks of one colour
    softer = Jpeg(10).undo(ramp)
    assert (softer.diff(dim=-1).abs().max() < 0.5 * ramp.diff(dim=-1).abs().max()).item()
    inside = ramp.unflatten(-1, (4, 8))[..., 2:6]
    torch.testing.assert_close(softer.unflatten(-1, (4, 8))[..., 2:6], inside, atol=1e-6, rtol=0)
    edge = torch.zeros(1, 3, 32, 32)
    edge[..., 16:] = 1
    torch.testing.assert_close(Jpeg(10).undo(edge), edge)  # an edge of the picture


@pytest.mark.parametrize("transform", EVERY.values(), ids=EVERY)
def test_transforms_stay_in_the_range_and_come_back_from_a_file(transform, tmp_path):
    images = images_of()
    before = images.clone()
    changed = transform.apply(images)
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert 0 <= changed.min() <= changed.max() <= 1
    assert 0 <= transform.undo(changed).min() <= transform.undo(changed).max() <= 1
    torch.testing.assert_close(images, before)
    torch.save(record_of(transform), tmp_path / "transform.pt")
    again = from_record(torch.load(tmp_path / "transform.pt", weights_only=True))
    torch.testing.assert_close(again.apply(images), changed)
    assert transform_said(again) == transform_said(transform)
    assert any(character.isdigit() for character in transform_said(transform))
    torch.testing.assert_close(transform.apply(images[2:3]), changed[2:3], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChannelMap(torch.zeros(2, 5)), r"curves must be \(3, K\)"),
        (lambda: ChannelMap(torch.linspace(1, 0, 5).expand(3, -1)), "curves must rise"),
        (lambda: Field(torch.zeros(3, 4, 4), torch.zeros(3, 5, 4)), r"must both be \(3, H, W\)"),
        (lambda: Field(-torch.ones(3, 4, 4), torch.zeros(3, 4, 4)), "no gain below 0"),
        (lambda: Spectrum(torch.zeros(3, 5), torch.zeros(3, 4), torch.zeros(3, 5)), r"must all be \(3, K\)"),
        (lambda: Spectrum(*[-torch.ones(3, 5)] * 3), "finite and 0 or more"),
        (lambda: Jpeg(0), "quality of a JPEG must be 1 … 95, got 0"),
        (lambda: record_of(object()), "must be one of .*ChannelMap, ColourMatrix, Field, Spectrum, Jpeg, got object"),
    ],
)
def test_what_is_no_transform_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
