"""Ways to make images square, against slow literal versions; what they do to a class; the padding that is planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unhans.artifacts import WAYS, EdgePadding, Squaring, orientation, rgb, window
from unhans.effects.interventions import SquaredLogits, squaring_effect
from unhans.report.text import squaring_sentence

SIZE = 12
SHAPES = [(8, 12), (12, 8), (5, 12), (12, 1), (3, 12), (12, 11), (12, 12)]


def image(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((3, height, width), dtype=np.float32))


def literal(picture, way):
    """The square pixel by pixel: copies clamp to the picture, mirrors walk back and forth in it."""
    _, height, width = picture.shape
    top, left = (SIZE - height) // 2, (SIZE - width) // 2

    def source(place, side):
        if way == "copy":
            return min(max(place, 0), side - 1)
        while not 0 <= place < side:
            place = -1 - place if place < 0 else 2 * side - 1 - place
        return place

    square = torch.zeros(3, SIZE, SIZE)
    for y in range(SIZE):
        for x in range(SIZE):
            square[:, y, x] = picture[:, source(y - top, height), source(x - left, width)]
    return square


@pytest.mark.parametrize("way", ["copy", "mirror"])
@pytest.mark.parametrize("shape", SHAPES)
def test_copies_and_mirrors_are_those_of_the_literal_version(way, shape):
    picture = image(*shape)
    assert torch.equal(Squaring(way, SIZE)(picture), literal(picture, way))


@pytest.mark.parametrize("way", ["noise", "random_color", "color"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_image_stands_in_the_middle_of_what_it_is_laid_on(way, shape):
    picture, color = image(*shape), (0.25, 0.5, 1.0)
    square = Squaring(way, SIZE, color)(picture)
    top, left = ((SIZE - side) // 2 for side in shape)
    assert torch.equal(square[:, top : top + shape[0], left : left + shape[1]], picture)
    outside = torch.ones(SIZE, SIZE, dtype=torch.bool)
    outside[top : top + shape[0], left : left + shape[1]] = False
    colours = square[:, outside].T.unique(dim=0)
    assert len(colours) == (int(outside.sum()) if way == "noise" else int(outside.any()))
    if way == "color" and len(colours):
        assert colours[0].tolist() == list(color)


def test_a_crop_is_the_largest_centred_square():
    picture = image(7, 13)
    assert torch.equal(Squaring("crop", 7)(picture), picture[:, :, 3:10])
    assert torch.equal(Squaring("crop", 7)(picture.mT), picture.mT[:, 3:10])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(30, 50), (90, 20), (6, 7), (400, 3)])
def test_any_image_becomes_a_square_in_zero_to_one(way, shape):
    square = Squaring(way, 24)(image(*shape))
    assert square.shape == (3, 24, 24)
    assert square.min() >= 0
    assert square.max() <= 1


@pytest.mark.parametrize("way", WAYS)
def test_a_square_is_padded_nowhere(way):
    assert torch.equal(Squaring(way, SIZE)(image(SIZE, SIZE), 3), image(SIZE, SIZE))


@pytest.mark.parametrize("way", ["noise", "random_color"])
def test_what_is_drawn_depends_on_seed_and_sample_alone(way):
    picture = image(8, SIZE)
    state = torch.get_rng_state()
    first = Squaring(way, SIZE, seed=1)(picture, 4)
    assert torch.equal(first, Squaring(way, SIZE, seed=1)(picture, 4))
    assert not torch.equal(first, Squaring(way, SIZE, seed=1)(picture, 5))
    assert not torch.equal(first, Squaring(way, SIZE, seed=2)(picture, 4))
    assert torch.equal(state, torch.get_rng_state())


def test_windows_are_the_largest_centred_ones_of_their_aspect():
    picture = image(12, 12)
    assert torch.equal(window(picture, 1.5, "landscape"), picture[:, 2:10])
    assert torch.equal(window(picture, 1.5, "portrait"), picture[:, :, 2:10])
    assert window(image(10, 40), 2, "landscape").shape == (3, 10, 20)
    assert window(image(10, 40), 2, "portrait").shape == (3, 10, 5)
    assert window(image(4, 4), 100, "landscape").shape == (3, 1, 4)
    assert [orientation(image(*shape)) for shape in ((2, 3), (3, 2), (3, 3))] == ["landscape", "portrait", None]


@pytest.mark.parametrize("aspect", [1, 0.5, -2, float("nan"), float("inf")])
def test_an_aspect_of_one_or_less_is_one_sentence(aspect):
    with pytest.raises(ValueError, match=f"longer side over the shorter one, must lie above 1, got {aspect}"):
        window(image(4, 4), aspect, "landscape")
    with pytest.raises(ValueError, match="must lie above 1"):
        EdgePadding("cat", aspect=aspect)


def test_colours_are_those_of_pil():
    assert rgb("#0080ff") == pytest.approx((0, 128 / 255, 1))
    assert rgb("skyblue") == pytest.approx((135 / 255, 206 / 255, 235 / 255))
    with pytest.raises(ValueError, match=r"color must be a name or code that PIL knows, .* got 'skyblu'"):
        rgb("skyblu")


# the padding that is planted


@pytest.mark.parametrize("lying", ["landscape", "portrait"])
@pytest.mark.parametrize("aspect", [1.1, 1.5, 4, 50])
def test_the_planted_padding_is_that_of_a_window_made_square(lying, aspect):
    picture = image(24, 24)
    expected = Squaring("copy", 24)(window(picture, aspect, lying))
    artifact = EdgePadding("cat", aspect, lying)
    assert torch.equal(artifact.paste(picture, 0), expected)
    inside = artifact.mask(0, 24) == 0
    assert torch.equal(artifact.paste(picture, 0)[:, inside], picture[:, inside])
    assert inside.sum() == 24 * max(1, round(24 / aspect))
    assert torch.equal(artifact.look(0, (24, 24)), artifact.mask(0, 24))


def test_a_random_orientation_is_fixed_by_seed_and_sample():
    one, two, other = (EdgePadding("cat", seed=seed) for seed in (0, 0, 1))
    seen = [bool(one.mask(index, 9)[4, 0]) for index in range(60)]  # True: padded at the sides
    assert 15 < sum(seen) < 45
    assert seen == [bool(two.mask(index, 9)[4, 0]) for index in range(60)]
    assert seen != [bool(other.mask(index, 9)[4, 0]) for index in range(60)]


def test_a_padding_has_no_layer_and_only_three_orientations():
    artifact = EdgePadding("cat")
    with pytest.raises(ValueError, match=r"an edge padding has no layer, .* analysis=squaring measures it"):
        artifact.layer(0, 9)
    with pytest.raises(ValueError, match="an edge padding has no layer"):
        artifact.draw(9, 9)
    with pytest.raises(ValueError, match="orientation must be one of landscape, portrait, random, got 'lying'"):
        EdgePadding("cat", orientation="lying")


# what ways do to a class


def squared(n=400, fall=0, seed=0):
    """n landscape images, half of class 0; logits of three classes; class 0's fall by so much in every way."""
    random = np.random.default_rng(seed)
    logits = np.repeat(random.normal(size=(n, 1, 3)), 6, axis=1)
    labels = np.arange(n) % 2
    logits[:, 1:, 0] -= np.asarray(fall, dtype=float)
    return SquaredLogits(np.arange(n), labels, np.zeros(n, dtype=bool), logits)


def test_changes_are_mean_differences_to_copied_borders():
    measured = squared(fall=(0.5, 1, 2, 0, -1), seed=3)
    effect = squaring_effect(measured, 0, "cat")
    assert len(effect.changes) == 2 * 5
    for change in effect.changes:
        rows = measured.logits[(measured.labels == 0) == (change.group == "class")]
        p = torch.from_numpy(rows).softmax(2)[:, :, 0].numpy()
        number = WAYS.index(change.way)
        assert change.effect.n == 200
        assert change.base == pytest.approx(p[:, 0].mean())
        assert change.effect.probability == pytest.approx((p[:, number] - p[:, 0]).mean())
        assert change.effect.logit == pytest.approx((rows[:, number, 0] - rows[:, 0, 0]).mean())
        low, high = change.effect.probability_interval
        assert low <= change.effect.probability <= high
    assert effect.rise == pytest.approx(-effect.change("others", "landscape", "mirror").effect.probability)
    assert effect.change("others", "portrait", "mirror") is None


@pytest.mark.parametrize(
    ("fall", "expected"),
    [
        ((3, 3, 3, 3, 3), True),
        ((3, 3, 0, 0, -1), True),  # uniform colours are as smooth as copies; noise harms anything
        ((0, 3, 3, 3, 3), False),  # cropping alone takes something away
        ((3, 0, 3, 3, 3), False),
        ((0.1, 0.1, 3, 3, 3), False),  # below the minimum
        ((-3, -3, -3, -3, -3), False),
    ],
)
def test_copies_are_expected_where_mirroring_and_cropping_both_lower_the_class_on_others(fall, expected):
    effect = squaring_effect(squared(fall=fall), 0, "cat")
    assert effect.expected == (("landscape",) if expected else ())
    assert squaring_sentence(effect).startswith(
        "The network expects copied borders for class 'cat'" if expected else "No sign"
    )


def test_the_sentence_has_the_numbers():
    effect = squaring_effect(squared(fall=(3, 3, 3, 3, -3)), 0, "cat")
    fall = -effect.change("others", "landscape", "mirror").effect.probability
    assert "on 200 landscape images of other classes, copying raises its probability by " in squaring_sentence(effect)
    assert f"by {fall:.2f} [" in squaring_sentence(effect)
    assert "On its own 200 landscape images the other ways change it by" in squaring_sentence(effect)
    assert "Above copying it is raised on other classes: the chosen colour (landscape) by" in squaring_sentence(effect)
    lowered = squaring_sentence(squaring_effect(squared(fall=(3, 3, 3, 2, 2)), 0, "cat"))
    assert "every other way lowers it, by" in lowered


def test_few_images_decide_nothing():
    effect = squaring_effect(squared(n=12, fall=(9, 9, 9, 9, 9)), 0, "cat")
    assert effect.expected == ()
    assert "on 6 landscape images of other classes (fewer than 10 decide nothing)" in squaring_sentence(effect)


@pytest.mark.parametrize(("label", "whose"), [(2, "class 'cat'"), (0, "classes other than 'cat'")])
def test_no_samples_are_one_sentence(label, whose):
    measured = squared()
    part = measured.of(np.flatnonzero(measured.labels == 0)) if label == 0 else measured
    with pytest.raises(ValueError, match=f"a squaring's effect needs images of {whose}, got none"):
        squaring_effect(part, label, "cat")
