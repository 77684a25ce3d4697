"""Means over seeds, and what stands in for their intervals where seeds say nothing."""

import math
import statistics

import numpy as np
import pytest

from unhans.stats import Rate, difference_over_seeds, estimate, mean_over_seeds, share_over_seeds
from unhans.stats.seeds import agreement, newcombe

T = {2: 12.706, 3: 4.303, 5: 2.776, 10: 2.262}  # two-sided 95 % points for n seeds, from a printed table


@pytest.mark.parametrize("n", sorted(T))
def test_the_interval_is_students(n):
    values = [math.sin(7 * i) for i in range(n)]
    mean, (low, high) = mean_over_seeds(values)
    half = T[n] * statistics.stdev(values) / math.sqrt(n)
    assert mean == pytest.approx(statistics.fmean(values))
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=1e-3)


def test_it_is_cut_off_at_what_is_possible():
    assert mean_over_seeds([0.9, 1.0], bounds=(0, 1))[1] == (pytest.approx(0.95 - 12.706 * 0.05, rel=1e-3), 1.0)
    assert mean_over_seeds([0.7], bounds=(0, 1)) == (0.7, (0, 1))
    assert mean_over_seeds([0.7])[1] == (-math.inf, math.inf)


@pytest.mark.parametrize("values", [[], [0.5, math.nan], [math.inf]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="a mean over seeds needs"):
        mean_over_seeds(values)


def test_the_interval_holds_what_seeds_and_what_samples_change():
    one = estimate([0.5], [(0.4, 0.7)], 30, (0, 1))
    assert (one.mean, one.interval, one.of, one.seeds, one.n) == (0.5, pytest.approx((0.4, 0.7)), "samples", 1, 30)
    values, ends = [0.5, 0.52, 0.51], [(0.4, 0.6), (0.43, 0.6), (0.42, 0.63)]
    found = estimate(values, ends, 30, (0, 1))
    half = T[3] * statistics.stdev(values) / math.sqrt(3)
    below, above = (0.1 + 0.09 + 0.09) / 3, (0.1 + 0.08 + 0.12) / 3
    expected = 0.51 - math.sqrt(half**2 + below**2), 0.51 + math.sqrt(half**2 + above**2)
    assert found.interval == pytest.approx(expected, abs=1e-4)
    assert found.of == "seeds and samples"
    assert estimate([0.1, 0.9], [(0.0, 0.2), (0.8, 1.0)], 30, (0, 1)).interval == (0, 1)


def test_one_image_more_does_not_make_the_interval_narrower():
    same, other = (share_over_seeds([Rate(490, 500), Rate(490, 500), Rate(last, 500)]) for last in (490, 491))
    assert same.interval == pytest.approx(Rate(490, 500).interval)
    widths = [high - low for low, high in (same.interval, other.interval)]
    assert widths[0] < widths[1] < 1.1 * widths[0]


def test_the_interval_covers_the_accuracy_of_all_trainings_on_all_images():
    """Three trainings, each of its own skill, on the same 200 images; the truth is .9, over 1,000 repetitions."""
    random, covered = np.random.default_rng(0), 0
    middle = 1.2815515655446004 * math.sqrt(1 + 0.2**2)  # the 90 % point of the normal distribution of both variances
    for _ in range(1000):
        hard = random.normal(size=200)  # of every image, the same for all trainings
        rates = [Rate(int(right.sum()), 200) for right in hard < random.normal(middle, 0.2, (3, 1))]
        low, high = share_over_seeds(rates).interval
        covered += low <= 0.9 <= high
    assert covered >= 940


def test_a_share_over_one_seed_has_wilsons_interval():
    found = share_over_seeds([Rate(45, 50)])
    assert (found.mean, found.interval, found.n) == (0.9, pytest.approx(Rate(45, 50).interval), 50)


@pytest.mark.parametrize(
    ("first", "second", "expected"),  # Newcombe (1998), table II, method 10
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_newcombes_interval_is_the_published_one(first, second, expected):
    assert newcombe(Rate(*first), Rate(*second)) == pytest.approx(expected, abs=5e-5)
    low, high = newcombe(Rate(*second), Rate(*first))
    assert (-high, -low) == pytest.approx(expected, abs=5e-5)


def rate_of(right):
    return Rate(int(right.sum()), len(right), np.packbits(right).tobytes().hex())


def test_agreement_is_the_corrected_correlation_of_both():
    random = np.random.default_rng(1)
    for chance in (0.1, 0.5, 0.9):
        one = random.random(90) < 0.7
        other = np.where(random.random(90) < chance, one, random.random(90) < 0.6)
        a, d = int((one & other).sum()), int((~one & ~other).sum())
        b, c = int((one & ~other).sum()), int((~one & other).sum())
        top = a * d - b * c
        top = max(top - 45, 0) if top > 0 else top
        expected = top / math.sqrt((a + b) * (c + d) * (a + c) * (b + d))
        assert agreement(rate_of(one), rate_of(other)) == pytest.approx(expected)
    assert agreement(rate_of(one), rate_of(~one)) == pytest.approx(-1)
    assert agreement(rate_of(one), rate_of(np.ones(90, bool))) == 0
    assert agreement(rate_of(one), Rate(50, 90)) == 0


def test_shares_of_the_same_images_differ_by_the_images_that_differ():
    first = np.arange(500) < 450
    second = first.copy()
    second[:8] = False
    known, unknown = newcombe(rate_of(first), rate_of(second)), newcombe(Rate(450, 500), Rate(442, 500))
    assert 0 < known[0] < 0.016 < known[1] < 0.035
    assert unknown[0] < -0.02  # as if they were of different images


def test_paired_intervals_cover_the_difference():
    random, covered = np.random.default_rng(2), 0
    for _ in range(1000):
        hard = random.random(150)
        first, second = hard < 0.85, (hard < 0.75) ^ (random.random(150) < 0.05)
        low, high = newcombe(rate_of(first), rate_of(second))
        covered += low <= 0.85 - (0.75 * 0.95 + 0.25 * 0.05) <= high
    assert 930 <= covered <= 985


def test_differences_are_paired_by_seed_and_by_image():
    shown = np.arange(100)
    first = [rate_of(shown < right) for right in (90, 80, 70)]
    second = [rate_of(shown < right) for right in (78, 68, 59)]
    found = difference_over_seeds(first, second)
    inner = [newcombe(*pair) for pair in zip(first, second, strict=True)]
    expected = estimate([0.12, 0.12, 0.11], inner, 100, (-1, 1)).interval
    assert (found.mean, found.of, found.seeds, found.n) == (pytest.approx(0.35 / 3), "seeds and samples", 3, 100)
    assert found.interval == pytest.approx(expected)
    assert found.interval[0] > 0.04  # unpaired, seeds that differ by 10 points would hide it
    alone = difference_over_seeds(first[:1], second[:1])
    assert (alone.interval, alone.of) == (pytest.approx(newcombe(first[0], second[0])), "samples")
    with pytest.raises(ValueError, match="got 1 and 2 seeds"):
        difference_over_seeds(first[:1], second[:2])
