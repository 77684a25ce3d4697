"""Means over seeds, and what stands in for their intervals where seeds say nothing."""

import math
import statistics

import pytest

from unhans.artifacts.assessment import Rate
from unhans.artifacts.estimate import difference, estimate, newcombe, share
from unhans.artifacts.seeds import over_seeds

T = {2: 12.706, 3: 4.303, 5: 2.776, 10: 2.262}  # two-sided 95 % points for n seeds, from a printed table


@pytest.mark.parametrize("n", sorted(T))
def test_the_interval_is_students(n):
    values = [math.sin(7 * i) for i in range(n)]
    mean, (low, high) = over_seeds(values)
    half = T[n] * statistics.stdev(values) / math.sqrt(n)
    assert mean == pytest.approx(statistics.fmean(values))
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=1e-3)


def test_it_is_cut_off_at_what_is_possible():
    assert over_seeds([0.9, 1.0], bounds=(0, 1))[1] == (pytest.approx(0.95 - 12.706 * 0.05, rel=1e-3), 1.0)
    assert over_seeds([0.7], bounds=(0, 1)) == (0.7, (0, 1))
    assert over_seeds([0.7])[1] == (-math.inf, math.inf)


@pytest.mark.parametrize("values", [[], [0.5, math.nan], [math.inf]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="a mean over seeds needs"):
        over_seeds(values)


def test_one_seed_and_equal_seeds_have_the_interval_of_their_samples():
    one = estimate([0.5], [(0.4, 0.6)], 30, (0, 1))
    assert (one.mean, one.interval, one.of, one.seeds, one.n) == (0.5, (0.4, 0.6), "samples", 1, 30)
    same = estimate([0.5, 0.5, 0.5], [(0.4, 0.6)] * 3, 30, (0, 1))
    assert (same.interval, same.of, same.seeds) == ((0.4, 0.6), "samples", 3)
    other = estimate([0.5, 0.6], [(0.4, 0.6), (0.5, 0.7)], 30, (0, 1))
    assert (other.interval, other.of) == ((pytest.approx(0.0), 1), "seeds")


def test_a_share_over_one_seed_has_wilsons_interval():
    found = share([Rate(45, 50)])
    assert (found.mean, found.interval, found.n) == (0.9, Rate(45, 50).interval, 50)


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


def test_differences_are_paired_by_seed():
    first, second = [Rate(90, 100), Rate(80, 100), Rate(70, 100)], [Rate(85, 100), Rate(76, 100), Rate(64, 100)]
    found = difference(first, second)
    low, high = over_seeds([0.05, 0.04, 0.06])[1]
    assert (found.mean, found.of, found.seeds, found.n) == (pytest.approx(0.05), "seeds", 3, 100)
    assert found.interval == pytest.approx((low, high))
    assert low > 0  # unpaired, seeds that differ by 10 points would hide it
    alone = difference(first[:1], second[:1])
    assert (alone.interval, alone.of) == (newcombe(first[0], second[0]), "samples")
    with pytest.raises(ValueError, match="got 1 and 2 seeds"):
        difference(first[:1], second[:2])
