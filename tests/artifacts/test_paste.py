import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from unhans.artifacts import Paste, blend
from unhans.artifacts.overlay import scaled


def small(height=4, width=6, colour=(1.0, 0.5, 0.0), alpha=1.0):
    return torch.tensor([*colour, alpha])[:, None, None].expand(4, height, width).clone()


def boxes_of(paste, draws=200):
    found = []
    for _ in range(draws):
        changed = (paste(torch.zeros(3, 20, 30)) != 0).any(0)
        rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
        found.append((int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1))
    return found


def test_blend_is_the_pixelwise_mixture():
    images, layers = torch.rand(2, 3, 5, 4), torch.rand(2, 4, 5, 4)
    mixed = blend(images, layers)
    for n in range(2):
        for c in range(3):
            slow = (1 - layers[n, 3]) * images[n, c] + layers[n, 3] * layers[n, c]
            torch.testing.assert_close(mixed[n, c], slow)


@pytest.mark.parametrize(
    ("placement", "corner"),
    [("top_left", (0, 0)), ("top_right", (0, 24)), ("bottom_left", (16, 0)), ("bottom_right", (16, 24))],
)
def test_corners(placement, corner):
    assert set(boxes_of(Paste(small(), placement), 3)) == {(*corner, corner[0] + 4, corner[1] + 6)}


def test_random_places_are_drawn_from_torch_s_state():
    torch.manual_seed(0)
    corners = boxes_of(Paste(small(), "random_corner"))
    assert {box[:2] for box in corners} == {(0, 0), (0, 24), (16, 0), (16, 24)}
    torch.manual_seed(3)
    places = boxes_of(Paste(small(), "random_position"), 3000)
    assert {box[0] for box in places} == set(range(17))
    assert {box[1] for box in places} == set(range(25))
    torch.manual_seed(3)
    assert boxes_of(Paste(small(), "random_position"), 5) == places[:5]


def test_one_call_has_one_place():
    paste, image = Paste(small(), "random_position"), tv_tensors.Image(torch.zeros(3, 20, 30))
    first, second = paste(image, image.clone())
    assert torch.equal(first, second)
    batch = paste(torch.zeros(2, 3, 20, 30))
    assert torch.equal(batch[0], batch[1])


def test_scale_is_a_factor_or_drawn_between_two():
    assert boxes_of(Paste(small(), "top_left", 2.0), 1) == [(0, 0, 8, 12)]
    heights = {box[2] for box in boxes_of(Paste(small(), "top_left", (0.5, 2.0)))}
    assert heights == set(range(2, 9))


@pytest.mark.parametrize("factor", [0.3, 0.5, 1.7])
def test_scaling_leaves_no_dark_rim(factor):
    """What is transparent is black here; no half-transparent pixel may take up that black."""
    layer = torch.zeros(4, 24, 24)
    layer[:, 6:18, 6:18] = small(12, 12, (0.9, 0.6, 0.3))
    result = scaled(layer, factor)
    seen = result[3] > 1e-3
    assert (result[3] < 1)[seen].any()
    for channel, value in enumerate((0.9, 0.6, 0.3)):
        torch.testing.assert_close(result[channel][seen], torch.full_like(result[channel][seen], value))


def test_images_of_every_kind_keep_their_kind_and_masks_stay():
    layer = small(8, 8)
    image, mask = tv_tensors.Image(torch.rand(3, 8, 8)), tv_tensors.Mask(torch.zeros(8, 8))
    changed, same = Paste(layer)({"image": image, "mask": mask}).values()
    assert isinstance(changed, tv_tensors.Image)
    assert torch.equal(same, mask)
    torch.testing.assert_close(changed.as_subclass(torch.Tensor), layer[:3])
    chain = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), Paste(small(), "bottom_right")])
    assert chain(Image.new("RGB", (30, 20)))[:, -1, -1].tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("layer", "options", "image", "sentence"),
    [
        (small(40, 6), {"placement": "top_left"}, torch.zeros(3, 20, 30), r"at most \(20, 30\) pixels, got \(40, 6\)"),
        (small(), {"placement": "random_position", "scale": 9.0}, torch.zeros(3, 20, 30), r"got \(36, 54\); give it a"),
        (small(), {}, torch.zeros(3, 20, 30), r"own size: expected \(4, 6\) pixels, got \(20, 30\)"),
        (small()[:3], {}, torch.zeros(3, 4, 6), r"RGBA, \(4, h, w\), got shape \(3, 4, 6\)"),
        (small(alpha=0.0), {}, torch.zeros(3, 4, 6), "zero everywhere"),
        (small() * 255, {}, torch.zeros(3, 4, 6), r"numbers in \[0, 1\]"),
        (small() * float("nan"), {}, torch.zeros(3, 4, 6), r"numbers in \[0, 1\]"),
        (small(), {"scale": 0.5}, torch.zeros(3, 4, 6), "needs a placement, got none and scale 0.5"),
        (small(), {"placement": "top_left", "scale": (2.0, 1.0)}, torch.zeros(3, 4, 6), "low ≤ high"),
        (small(), {"placement": "top_left", "scale": 0.0}, torch.zeros(3, 4, 6), "positive"),
        (small(), {"placement": "middle"}, torch.zeros(3, 4, 6), "got 'middle'"),
        (small(), {}, torch.zeros(1, 4, 6), r"\(…, 3, H, W\), got shape \(1, 4, 6\)"),
        (small(), {}, torch.zeros(3, 4, 6, dtype=torch.uint8), "got torch.uint8; v2.ToImage"),
        (small(), {}, Image.new("RGB", (6, 4)), "got Image; v2.ToImage"),
    ],
)
def test_bad_input_is_one_sentence(layer, options, image, sentence):
    with pytest.raises(ValueError, match=sentence):
        Paste(layer, **options)(image)
