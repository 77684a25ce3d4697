"""Pictures of any kind become RGB, and squares."""

import numpy as np
import pytest
from PIL import Image

from unhans.artifacts import Squaring
from unhans.data import UnreadableImageError, to_tensor
from unhans.data.image_io import has_header, read_rgb, resize, to_rgb

QUADRANTS = np.zeros((20, 30, 3), np.uint8)
QUADRANTS[:10, :15] = 255, 0, 0
QUADRANTS[:10, 15:] = 0, 255, 0
QUADRANTS[10:, :15] = 0, 0, 255
QUADRANTS[10:, 15:] = 200, 200, 0


def saved(picture, path, **options):
    picture.save(path, **options)
    return np.asarray(read_rgb(path))


def test_grey_and_bilevel_become_equal_channels(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (saved(Image.fromarray(ramp), tmp_path / "l.png") == ramp[..., None]).all()
    bilevel = saved(Image.fromarray(ramp > 99), tmp_path / "1.png")
    assert (bilevel == 255 * (ramp > 99)[..., None]).all()


def test_sixteen_bits_become_eight(tmp_path):
    ramp = (np.arange(256) * 257 + np.tile([0, 127, -127, 0], 64)).clip(0, 65535).astype(np.uint16).reshape(16, 16)
    for name in ("16.png", "16.tif"):
        read = saved(Image.fromarray(ramp), tmp_path / name)
        assert (read == np.arange(256).reshape(16, 16, 1)).all()


def test_transparency_shows_white(tmp_path):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, :3] = 100, 50, 0
    rgba[0, :, 3] = 0, 51, 255
    expected = [[255, 255, 255], [224, 214, 204], [100, 50, 0]]  # 0.2 · colour + 0.8 · 255
    assert saved(Image.fromarray(rgba), tmp_path / "rgba.png")[0].tolist() == expected
    grey = Image.fromarray(rgba[..., [0, 3]])
    assert grey.mode == "LA"
    assert saved(grey, tmp_path / "la.png")[0].tolist() == [[255] * 3, [224] * 3, [100] * 3]


def test_palette_with_a_transparent_colour(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    for name in ("p.png", "p.gif"):
        assert saved(picture, tmp_path / name, transparency=0)[0].tolist() == [[255] * 3, [40, 50, 60]]
    assert saved(picture, tmp_path / "opaque.png")[0].tolist() == [[10, 20, 30], [40, 50, 60]]


def test_cmyk_jpeg(tmp_path):
    read = saved(Image.fromarray(QUADRANTS).convert("CMYK"), tmp_path / "cmyk.jpg", quality=100, subsampling=0)
    assert np.abs(read[5, 5].astype(int) - [255, 0, 0]).max() < 12
    assert np.abs(read[15, 5].astype(int) - [0, 0, 255]).max() < 12


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (6, lambda x: np.rot90(x, -1)),
        (8, lambda x: np.rot90(x, 1)),
    ],
)
def test_exif_orientation_is_undone(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = saved(Image.fromarray(QUADRANTS), tmp_path / "turned.png", exif=exif)
    assert (read == turn(QUADRANTS)).all()


def test_floating_point_pixels_are_refused():
    with pytest.raises(ValueError, match="must be integers, got floating-point mode F"):
        to_rgb(Image.new("F", (2, 2)))


def test_squash_and_crop():
    picture = Image.fromarray(QUADRANTS)
    squashed, cropped = (np.asarray(resize(picture, 20, how)) for how in ("squash", "crop"))
    assert squashed.shape == cropped.shape == (20, 20, 3)
    assert (cropped == QUADRANTS[:, 5:25]).all()
    assert (squashed[0, 0] == QUADRANTS[0, 0]).all()
    assert (squashed[19, 19] == QUADRANTS[19, 29]).all()
    assert resize(Image.fromarray(QUADRANTS[:, :20]), 20, "crop").size == (20, 20)


def test_to_tensor_is_channels_first_in_0_to_1():
    tensor = to_tensor(Image.fromarray(QUADRANTS))
    assert tensor.shape == (3, 20, 30)
    assert tensor[:, 15, 25].tolist() == pytest.approx([200 / 255, 200 / 255, 0])
    assert tensor.max() == 1


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "missing", "folder", "damaged"])
def test_a_broken_file_is_named(tmp_path, kind):
    path = tmp_path / f"{kind}.jpg"
    Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    path.unlink()
    contents = {"empty": b"", "text": b"no image", "truncated": whole[: len(whole) // 2], "damaged": b"\xff\xd8" * 99}
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(UnreadableImageError, match=rf"must be readable, got .*{kind}\.jpg"):
        read_rgb(path)
    assert has_header(path) == (kind == "truncated")


def test_a_truncated_png_is_broken(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    with pytest.raises(UnreadableImageError):
        read_rgb(tmp_path / "b.png")


def photograph(width, height):
    """A smooth picture: where it is scaled, two ways of rounding hardly differ."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    waves = [np.sin(5 * x + 3 * y), np.cos(4 * x * y), np.sin(7 * y)]
    return Image.fromarray(np.rint(127 + 120 * np.stack(waves, axis=2)).astype(np.uint8))


@pytest.mark.parametrize(("how", "way"), [("pad", "copy"), ("mirror", "mirror")])
@pytest.mark.parametrize("sides", [(32, 20), (20, 32), (100, 64), (19, 64), (64, 1), (7, 5), (32, 32), (90, 90)])
def test_padding_on_reading_is_the_padding_of_tensors(how, way, sides):
    picture = photograph(*sides)
    square = resize(picture, 32, how)
    assert square.size == (32, 32)
    expected = Squaring(way, 32)(to_tensor(picture))
    if max(sides) == 32:
        np.testing.assert_array_equal(to_tensor(square), expected)
    np.testing.assert_allclose(to_tensor(square), expected, atol=2.5 / 255)
