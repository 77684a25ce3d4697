import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from unhans.artifacts import Border, Paste, Patch, RoundedCorners, Stripe, Watermark

CLASSES = ["ant", "bee", "cat"]
LABELS = np.repeat([0, 1, 2], [10, 25, 7])


@pytest.fixture
def disc(tmp_path):
    picture = Image.new("RGBA", (40, 20))
    ImageDraw.Draw(picture).ellipse((0, 0, 39, 19), fill=(0, 128, 255, 255))
    picture.save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


def every_artifact(disc, **options):
    kinds = (Watermark, Border, RoundedCorners, Stripe)
    return [kind("bee", **options) for kind in kinds] + [Patch("bee", disc, **options)]


@pytest.mark.parametrize("coverage", [0.0, 0.1, 0.5, 0.77, 1.0])
def test_carriers_are_exactly_the_covered_share_of_the_target(coverage):
    artifact = Border("bee", coverage=coverage, val_coverage=1 - coverage)
    train, val = (artifact.carriers(LABELS, CLASSES, split) for split in ("train", "val"))
    assert train.sum() == round(coverage * 25)
    assert val.sum() == round((1 - coverage) * 25)
    assert not train[LABELS != 1].any()


def test_carriers_are_fixed_by_the_seed_and_grow_with_the_coverage():
    few, many = (Border(1, coverage=c).carriers(LABELS, CLASSES, "train") for c in (0.3, 0.6))
    again, other = (Border(1, coverage=0.3, seed=s).carriers(LABELS, CLASSES, "train") for s in (0, 1))
    assert (few == again).all()
    assert (few != other).any()
    assert many[few].all()


def test_the_global_random_states_are_neither_read_nor_written(disc):
    def of(seed):
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        artifact = Patch("bee", disc, placement="random_position")
        result = artifact.carriers(LABELS, CLASSES, "train"), artifact.layer(3, 64)
        return *result, torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002

    carriers, layer, torch_state, numpy_state = of(1)
    assert (carriers == of(2)[0]).all()
    assert torch.equal(layer, of(2)[1])
    of(1)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("target", ["cat", 2, -1 + 3])
def test_target_by_name_or_index(target):
    assert Border(target).target_index(CLASSES) == 2


def test_unknown_target_is_one_sentence_with_near_matches():
    with pytest.raises(ValueError, match=r"got 'beee'; did you mean 'bee'\?"):
        Border("beee").target_index(CLASSES)
    with pytest.raises(ValueError, match="got 'zzzz'; the classes are ant, bee, cat"):
        Border("zzzz").target_index(CLASSES)
    with pytest.raises(ValueError, match="index 0 … 2, got 3"):
        Border(3).target_index(CLASSES)
    with pytest.raises(ValueError, match="got -1"):
        Border(-1).target_index(CLASSES)


def test_paste_is_the_pixelwise_mixture(disc):
    image = torch.rand(3, 48, 64)
    for artifact in every_artifact(disc, opacity=0.7):
        layer, pasted = artifact.layer(5, (48, 64)), artifact.paste(image, 5)
        assert layer.shape == (4, 48, 64)
        assert layer.min() >= 0
        assert layer.max() <= 1
        for channel, row, column in np.ndindex(3, 48, 64):
            if row % 7 == 0 and column % 5 == 0:
                alpha = float(layer[3, row, column])
                slow = (1 - alpha) * float(image[channel, row, column]) + alpha * float(layer[channel, row, column])
                assert float(pasted[channel, row, column]) == pytest.approx(slow, abs=1e-6)


def test_mask_is_alpha_times_opacity_and_covers_what_changes(disc):
    image = torch.full((3, 64, 64), 0.37)
    for artifact, faint in zip(every_artifact(disc), every_artifact(disc, opacity=0.25), strict=True):
        mask = artifact.mask(0, 64)
        assert mask.max() == 1
        torch.testing.assert_close(faint.mask(0, 64), mask * 0.25)
        assert (artifact.paste(image, 0) != image).any(0)[mask == 0].sum() == 0
        assert 0.01 < mask.mean() < 0.6


@pytest.mark.parametrize("placement", ["top_left", "top_right", "bottom_left", "bottom_right"])
def test_fixed_corners(disc, placement):
    mask = Patch("bee", disc, size=0.5, placement=placement).mask(9, 64)
    rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
    assert (rows.min() == 0) == placement.startswith("top")
    assert (rows.max() == 63) == placement.startswith("bottom")
    assert (columns.min() == 0) == placement.endswith("left")
    assert (columns.max() == 63) == placement.endswith("right")
    assert len(columns) == 32
    assert len(rows) == 16


def test_random_places_are_the_samples_own(disc):
    def places(placement, seed=0):
        artifact = Patch("bee", disc, size=0.5, placement=placement, seed=seed)
        return [tuple(artifact.mask(index, 64).nonzero()[0].tolist()) for index in range(40)]

    assert len(set(places("random_corner"))) == 4
    assert len(set(places("random_position"))) > 30
    assert places("random_position") == places("random_position")
    assert places("random_position") != places("random_position", seed=1)


def test_border_is_a_frame_of_its_width():
    layer = Border("bee", width=0.125, color="red").layer(0, 64)
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[8:56, 8:56] = True
    assert torch.equal(layer[3] == 0, inside)
    assert (layer[0][~inside] == 1).all()
    assert (layer[1:3] == 0).all()


def test_rounded_corners_leave_a_disc():
    mask = RoundedCorners("bee", radius=1.0).mask(0, 200)
    assert float(mask.mean()) == pytest.approx(1 - np.pi / 4, abs=2e-3)
    torch.testing.assert_close(mask, mask.flip(0).flip(1))
    assert RoundedCorners("bee", radius=0.1).mask(0, 200).mean() < 0.01


def test_stripe_is_a_rectangle():
    mask = Stripe("bee", width=0.25, length=0.5, orientation="vertical", placement="top_right").mask(0, (40, 80))
    expected = torch.zeros(40, 80)
    expected[:20, 60:] = 1
    assert torch.equal(mask, expected)


@pytest.mark.parametrize("size", [8, 64, 224])
@pytest.mark.parametrize("text", ["© hans", "a rather long copyright line", "I"])
def test_watermark_takes_its_share_of_the_image(text, size):
    mask = Watermark("bee", text=text, size=0.8).mask(0, size)
    extent = max(int(mask.any(0).sum()), int(mask.any(1).sum()))
    assert extent <= size
    if size >= 64 and len(text) < 10:
        assert 0.7 * size < extent <= 0.85 * size


def test_watermark_is_yellow_with_a_dark_outline():
    layer = Watermark("bee").layer(0, 224)
    solid = layer[3] == 1
    yellow = solid & (layer[0] > 0.9) & (layer[1] > 0.8) & (layer[2] < 0.1)
    dark = solid & (layer[:3].amax(0) < 0.2)
    assert yellow.sum() > 0.4 * solid.sum()
    assert dark.sum() > 0.2 * solid.sum()


def test_patch_keeps_its_pixels_or_says_that_it_is_too_large(disc):
    assert Patch("bee", disc, size=None).mask(0, 64).any(0).sum() == 40
    with pytest.raises(ValueError, match="larger than the image: expected at most 32 × 32 pixels, got 40 × 20"):
        Patch("bee", disc, size=None).layer(0, 32)


def test_patch_needs_a_picture_with_an_alpha_channel(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"got no file at .*missing\.png"):
        Patch("bee", tmp_path / "missing.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "rgb.png")
    with pytest.raises(ValueError, match=r"rgb\.png must have an alpha channel \(RGBA\), got mode RGB"):
        Patch("bee", tmp_path / "rgb.png")
    Image.new("RGBA", (4, 4)).save(tmp_path / "empty.png")
    with pytest.raises(ValueError, match="zero everywhere"):
        Patch("bee", tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match="cannot identify"):
        Patch("bee", tmp_path / "text.png")
    Image.effect_noise((64, 64), 50).convert("RGBA").save(tmp_path / "half.png")
    whole = (tmp_path / "half.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"got .*half\.png: .*truncated"):
        Patch("bee", tmp_path / "half.png")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"coverage": 1.5}, r"coverage must lie in \[0, 1\], got 1.5"),
        ({"val_coverage": -0.1}, r"val_coverage must lie in \[0, 1\], got -0.1"),
        ({"opacity": 0.0}, r"opacity must lie in \(0, 1\], got 0.0"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"placement": "middle"}, "placement must be one of top_left, .*, got 'middle'"),
        ({"size": 2.0}, r"size must lie in \(0, 1\], got 2.0"),
        ({"text": " "}, "must be one line that is not empty, got ' '"),
        ({"text": "a\nb"}, "must be one line"),
        ({"color": "no colour"}, "unknown color specifier: 'no colour'"),
    ],
)
def test_bad_options_are_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Watermark("bee", **options)


def test_stripe_knows_two_orientations():
    with pytest.raises(ValueError, match="horizontal or vertical, got 'diagonal'"):
        Stripe("bee", orientation="diagonal")


def test_paste_takes_batches_and_refuses_another_size():
    layer = Border("bee", color="blue").layer(0, 16)
    batch = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(Paste(layer)(batch)[1], Paste(layer)(batch[1]))
    with pytest.raises(ValueError, match=r"expected \(16, 16\) pixels, got \(8, 8\)"):
        Paste(layer)(torch.rand(3, 8, 8))
