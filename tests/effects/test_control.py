import numpy as np
import pytest
import torch

from unhans.artifacts import Border, Patch, Remove, RoundedCorners, Stripe, Watermark
from unhans.effects.interventions.controls import filled, is_uniform, mean_colour, moved, random_colour, strongest_other


def test_mean_colour_is_weighted_by_alpha():
    layer = torch.rand(4, 7, 9)
    for channel in range(3):
        slow = sum(float(layer[channel, i, j] * layer[3, i, j]) for i in range(7) for j in range(9))
        slow /= sum(float(layer[3, i, j]) for i in range(7) for j in range(9))
        assert mean_colour(layer)[channel].numpy() == pytest.approx(slow, abs=1e-5)
    assert torch.equal(mean_colour(layer)[3], layer[3])


def test_other_colours_and_pixels_keep_the_alpha():
    layer, image = torch.rand(4, 7, 9), torch.rand(3, 7, 9)
    assert torch.equal(filled(layer, image), torch.cat([image, layer[3:]]))
    one, two = (random_colour(layer, np.random.default_rng(seed)) for seed in (0, 1))
    assert torch.equal(one[3], layer[3])
    assert float((one[:3] - one[:3, :1, :1]).abs().max()) == 0
    assert not torch.equal(one, two)


def test_borders_have_one_colour_and_watermarks_do_not():
    uniform = [Border("x"), RoundedCorners("x"), Stripe("x", color="blue"), Border("x", opacity=0.3)]
    assert all(is_uniform(artifact.layer(0, (64, 64))) for artifact in uniform)
    assert not is_uniform(Watermark("x").layer(0, (64, 64)))
    assert not is_uniform(Watermark("x", opacity=0.3).layer(0, (64, 64)))
    noisy = Border("x").layer(0, (64, 64))
    noisy[:3] = (noisy[:3] + 0.04 * torch.randn(3, 64, 64)).clamp(0, 1)
    assert is_uniform(noisy)
    faint = torch.rand(4, 64, 64, generator=torch.Generator().manual_seed(0))
    faint[3] *= 0.3  # what was not removed of an isolated layer
    assert is_uniform(torch.where(noisy[3] > 0, noisy, faint))
    assert not is_uniform(faint)


def test_the_strongest_other_class_against_loops():
    rng = np.random.default_rng(0)
    before, after = rng.dirichlet(np.ones(5), 40), rng.dirichlet(np.ones(5), 40)
    labels = rng.choice([0, 1, 3, 4], 40)
    means = {}
    for other in (0, 1, 3, 4):
        means[other] = np.mean([after[i, other] - before[i, other] for i in range(40) if labels[i] != other])
    assert strongest_other(before, after, labels, 2) == max(means, key=means.get)


def test_two_classes_leave_no_other():
    assert strongest_other(np.ones((3, 2)) / 2, np.ones((3, 2)) / 2, np.zeros(3, dtype=int), 1) == -1


def slow_places(mask, gap):
    """Every shift that keeps the mask inside and more than a gap off itself, one after the other."""
    found, (height, width) = set(), mask.shape
    pixels = np.argwhere(mask)
    taken = np.zeros_like(mask)
    for row, column in pixels:
        taken[max(0, row - gap) : row + gap + 1, max(0, column - gap) : column + gap + 1] = True
    for down in range(-height, height):
        for right in range(-width, width):
            there = pixels + np.array([down, right])
            if (there >= 0).all() and (there < [height, width]).all() and not taken[there[:, 0], there[:, 1]].any():
                found.add((down, right))
    return found


def test_the_mask_moves_to_every_free_place_and_to_no_other():
    mask = np.zeros((15, 18), dtype=bool)
    mask[1:4, 2:5] = mask[5, 3] = True
    allowed, first = slow_places(mask, 4), np.argwhere(mask)[0]
    seen = set()
    for seed in range(1500):
        elsewhere = moved(mask, np.random.default_rng(seed))
        shift = np.argwhere(elsewhere)[0] - first
        assert np.array_equal(np.argwhere(elsewhere), np.argwhere(mask) + shift)
        seen.add(tuple(int(step) for step in shift))
    assert seen == allowed


def strokes(side, count, length, wide, seed):
    """Thin strokes at random places, upright and level, like letters."""
    random, mask = np.random.default_rng(seed), np.zeros((side, side), dtype=bool)
    for number in range(count):
        row, column = random.integers(side // 4, side // 2, 2)
        long, short = (slice(row, row + length), slice(column, column + wide))
        mask[(long, short) if number % 2 else (short, long)] = True
    return mask


@pytest.mark.parametrize("side", [32, 64, 224])
@pytest.mark.parametrize("fill", ["mean", "telea"])
def test_filling_elsewhere_leaves_the_artifact_as_it_is(side, fill):
    image = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    for seed in range(12):
        mask = strokes(side, 5, side // 5, max(1, side // 100), seed)
        changed = Remove(moved(mask, np.random.default_rng(seed)), fill)(image)
        assert not ((changed != image).any(0).numpy() & mask).any()
        assert ((changed != image).any(0)).sum() >= mask.sum()


def test_without_room_for_the_distance_the_control_covers_as_much():
    mask = np.zeros((24, 24), dtype=bool)
    mask[::2] = True
    elsewhere = moved(mask, np.random.default_rng(0))
    assert elsewhere.sum() == mask.sum()
    assert not (elsewhere & mask).any()


def test_a_border_moves_to_a_rectangle_in_the_middle():
    mask = Border("x", width=0.06).layer(0, (100, 100))[3].numpy() > 0
    elsewhere = moved(mask, np.random.default_rng(0))
    assert elsewhere.sum() == mask.sum()
    assert not (elsewhere & mask).any()
    rows, columns = np.flatnonzero(elsewhere.any(1)), np.flatnonzero(elsewhere.any(0))
    assert abs(rows[0] + rows[-1] - 99) <= 1
    assert abs(columns[0] + columns[-1] - 99) <= 1
    assert elsewhere[rows[0] + 1 : rows[-1], columns[0] + 1 : columns[-1]].all()


def test_a_disc_in_the_middle_moves_round_itself():
    rows, columns = np.mgrid[:41, :41]
    mask = (rows - 20) ** 2 + (columns - 20) ** 2 < 14**2
    elsewhere = moved(mask, np.random.default_rng(0))
    assert elsewhere.sum() == mask.sum()
    assert not (elsewhere & mask).any()


def test_patches_are_not_uniform(tmp_path):
    from PIL import Image

    half = Image.new("RGBA", (20, 20), "red")
    half.paste("blue", (0, 0, 10, 20))
    half.save(tmp_path / "half.png")
    assert not is_uniform(Patch("x", tmp_path / "half.png").layer(0, (64, 64)))
