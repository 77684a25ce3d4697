"""Images that share a pattern or a statistic: splits against a slow second version, planted patterns, clean images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from unhans.spray.groups import ImageDescriptors, image_groups, jaccard, smallest_group, split
from unhans.spray.groups.image_groups import PATTERN, STATISTICS, pattern_groups, statistic_groups, statistics
from unhans.spray.suspicion import surprise


def pattern_groups_of(images, reference):
    return pattern_groups(ImageDescriptors.of(images), ImageDescriptors.of(reference))


def statistic_groups_of(images, reference):
    found = statistic_groups(ImageDescriptors.of(images), ImageDescriptors.of(reference))
    return {one.view: one for one in found}


def textured(n=120, side=32, seed=0):
    """Images of texture with the spectrum of photographs, of any brightness and colour."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, 3, side, side)) + 0.7 * rng.normal(size=(n, 1, side, side))
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    made = np.fft.ifft2(np.fft.fft2(noise) / np.maximum(radius, 1 / side)).real
    made = made / made.std((2, 3), keepdims=True) * rng.uniform(0.1, 0.2, size=(n, 1, 1, 1))
    return np.clip(made + rng.uniform(0.35, 0.65, size=(n, 3, 1, 1)), 0, 1).astype(np.float32)


def marked(images, share=0.3, alpha=0.5, seed=3):
    """A checkered pattern is laid over a share of the images, half transparent."""
    rng, images = np.random.default_rng(seed), images.copy()
    carriers = rng.permutation(len(images)) < round(share * len(images))
    pattern = (np.indices((10, 10)).sum(0) // 2 % 2).astype(np.float32)
    area = images[carriers, :, 4:14, 18:28]
    images[carriers, :, 4:14, 18:28] = (1 - alpha) * area + alpha * pattern
    return images, carriers


def literal_split(column, least):
    """Every threshold, and the variance within both parts."""
    ordered = np.sort(column)
    best = min(
        range(least, len(ordered) - least + 1),
        key=lambda k: k * ordered[:k].var() + (len(ordered) - k) * ordered[k:].var(),
    )
    lower, upper = ordered[:best], ordered[best:]
    within = (best * lower.var() + len(upper) * upper.var()) / len(ordered)
    return (lower[-1] + upper[0]) / 2, within / ordered.var(), (upper.mean() - lower.mean()) / math.sqrt(within)


@pytest.mark.parametrize(("n", "least"), [(12, 6), (40, 6), (41, 1), (300, 9)])
def test_a_split_is_the_best_of_all(n, least):
    rng = np.random.default_rng(n)
    values = np.stack([rng.normal(size=n), rng.gamma(1, size=n) + 1e4, np.where(rng.random(n) < 0.4, 0, 5.0)], 1)
    values[:, 2] += rng.normal(size=n)
    found = split(values, least)
    for column in range(3):
        threshold, within, distance = literal_split(values[:, column], least)
        assert found.threshold[column] == pytest.approx(threshold)
        assert found.within[column] == pytest.approx(within, rel=1e-6)
        assert found.distance[column] == pytest.approx(distance, rel=1e-6)


def test_a_normal_distribution_keeps_what_the_docstring_says():
    found = split(np.random.default_rng(0).normal(size=(100_000, 1)), 6)
    assert found.within[0] == pytest.approx(1 - 2 / math.pi, abs=0.005)


def test_columns_that_do_not_vary_are_no_error():
    found = split(np.full((30, 2), 0.3), 6)
    assert np.isfinite([found.threshold, found.within, found.distance]).all()
    assert not found.distance.any()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_half_transparent_pattern_is_found(seed):
    images, carriers = marked(textured(seed=seed), seed=seed)
    (found,) = pattern_groups_of(images, textured(seed=50 + seed))
    assert found.view == PATTERN
    assert jaccard(found.members, carriers) >= 0.8
    assert surprise(PATTERN, found.strength) > 2


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_few_and_many_carriers_are_found(share):
    images, carriers = marked(textured(), share)
    (found,) = pattern_groups_of(images, textured(seed=50))
    assert jaccard(found.members, carriers) >= 0.8


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clean_images_share_nothing_that_stands_out(seed):
    found = image_groups(textured(seed=seed), textured(seed=50 + seed))
    assert all(surprise(one.view, one.strength) < 3 for one in found)


def test_a_pattern_of_all_classes_is_none():
    images, reference = marked(textured(), 0.5)[0], marked(textured(seed=50), 0.5)[0]
    assert all(surprise(PATTERN, one.strength) < 2 for one in pattern_groups_of(images, reference))


@pytest.mark.parametrize("seed", [0, 1])
def test_blur_is_found_by_the_spectrum(seed):
    images, reference = textured(seed=seed), textured(seed=50 + seed)
    carriers = np.random.default_rng(seed).permutation(120) < 40
    images[carriers] = ndimage.gaussian_filter(images[carriers], (0, 0, 1, 1))
    found = statistic_groups_of(images, reference)
    one = found[f"{STATISTICS}: spectrum"]
    assert jaccard(one.members, carriers) >= 0.9
    assert surprise(one.view, one.strength) > 3
    assert one.strength == max(each.strength for each in found.values())


def test_a_cast_is_found_by_the_colours():
    images = 0.3 * textured() + 0.35
    carriers = np.arange(120) % 3 == 0
    images[carriers, 0] += 0.3
    found = statistic_groups_of(images, 0.3 * textured(seed=50) + 0.35)
    assert jaccard(found[f"{STATISTICS}: colour"].members, carriers) >= 0.95


def test_the_part_that_other_classes_lack_is_the_group():
    images, reference = textured(), textured(seed=50)
    carriers = np.arange(120) < 90  # most of the class is darkened
    images[carriers, :, :8, :8] *= 0.05
    found = statistic_groups_of(images, reference)
    assert jaccard(found[f"{STATISTICS}: local brightness"].members, carriers) >= 0.95


def test_what_falls_into_two_parts_in_every_class_does_not_stand_out():
    images, reference = textured(), textured(seed=50)
    for each in (images, reference):
        each[::2] = 0.2 * each[::2]
    assert all(surprise(one.view, one.strength) < 3 for one in statistic_groups_of(images, reference).values())


@pytest.mark.parametrize("view", ["one channel thrice", "no variation"])
def test_grey_images_have_groups_without_nan(view):
    images, reference = textured(), textured(seed=50)
    images, reference = (each.mean(1, keepdims=True).repeat(3, axis=1) for each in (images, reference))
    if view == "no variation":
        images[:] = 0.5
    for one in image_groups(images, reference):
        assert np.isfinite(one.strength)
        assert smallest_group(120) <= one.members.sum() <= 120 - smallest_group(120)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 5), (8, 8), (28, 28), (17, 40)])
def test_tiny_and_oblong_images(shape):
    rng = np.random.default_rng(0)
    images, reference = rng.random((40, 3, *shape)), rng.random((40, 3, *shape))
    for one in image_groups(images, reference):
        assert one.members.shape == (40,)
        assert np.isfinite(one.strength)
    for _, values in statistics(images):
        assert np.isfinite(values).all()


def test_large_images_are_reduced():
    images, carriers = marked(textured(40), 0.5, alpha=1)
    large = images.repeat(6, axis=2).repeat(6, axis=3)
    (found,) = pattern_groups_of(large, textured(40, seed=50).repeat(6, axis=2).repeat(6, axis=3))
    assert jaccard(found.members, carriers) >= 0.9


@pytest.mark.parametrize(("n", "m"), [(11, 100), (100, 11), (0, 0)])
def test_too_few_images_have_no_groups(n, m):
    assert image_groups(textured(100)[:n], textured(100, seed=50)[:m]) == []


def test_a_reference_is_described_once_for_all_classes():
    images, reference, some = marked(textured())[0], textured(seed=50), np.arange(120) % 3 > 0
    whole = image_groups(images, reference[some])
    for one, other in zip(whole, image_groups(images, ImageDescriptors.of(reference)[some]), strict=True):
        np.testing.assert_array_equal(one.members, other.members)
        assert one.strength == other.strength


def test_the_same_images_have_the_same_groups():
    images, reference = marked(textured())[0], textured(seed=50)
    for one, other in zip(image_groups(images, reference), image_groups(images, reference), strict=True):
        np.testing.assert_array_equal(one.members, other.members)
        assert one.strength == other.strength


def test_one_sample_does_not_score_itself():
    """A filter that had seen the image it scores would give the strangest image of any class the largest score."""
    images = textured(60)
    images[0, :, 4:14, 18:28] = (np.indices((10, 10)).sum(0) % 2).astype(np.float32)
    assert all(surprise(PATTERN, one.strength) < 3 for one in pattern_groups_of(images, textured(seed=50)))
