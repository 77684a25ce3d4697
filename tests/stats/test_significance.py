"""The p-value of a mean against exact enumeration, simulations, and the same test written out literally."""

import math

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from unhans.effects import MINIMUM, Trial
from unhans.effects.effect import trial
from unhans.effects.verdict import EQUAL, RATE, comparisons
from unhans.stats import mean_difference, p_value, samples_below, samples_to_show
from unhans.stats.intervals import BETS

RARE = (3, 6, 10, 20)  # large jumps to be expected among all samples


def literal(values, least, possible):
    """A gambler for each stake; what they own together, over what they had."""
    owned = 0.0
    for number in range(1, BETS + 1):
        stake = math.sin(math.pi * (2 * number - 1) / (4 * BETS)) ** 2 / (possible + least)
        capital = 1.0 / BETS
        for value in values:
            capital *= 1 + stake * (value - least)
        owned += capital
    return min(1.0, 1 / owned)


def students(values, least):
    """Student's one-sided test, no less than what n draws may have missed: what is not used, and why."""
    n, mean = len(values), values.mean()
    if mean <= least:
        return 1.0
    spread = values.std(ddof=1)
    chance = 0.0 if spread < 1e-12 else student.sf((mean - least) * np.sqrt(n) / spread, n - 1)
    return max(chance, ((1 + least) / (1 + mean)) ** n)


def two_points(n, jumps, least):
    """Where a share jumps to −1 and the mean is `least`: every possible sample, and how probable it is."""
    share = jumps / n
    above = least + (1 + least) * share / (1 - share)
    samples = [np.r_[np.full(n - count, above), np.full(count, -1.0)] for count in range(n + 1)]
    return samples, binom.pmf(np.arange(n + 1), n, share)


@pytest.mark.parametrize(("least", "possible"), [(0.05, 1.0), (0.001, 2.0), (0.0, 1.0)])
@pytest.mark.parametrize("n", [1, 2, 10, 80])
def test_against_the_same_bets_one_after_the_other(n, least, possible):
    rng = np.random.default_rng(n)
    for mean in (-0.2, 0.05, 0.3, 0.8):
        values = np.clip(mean + 0.2 * rng.normal(size=n), -possible, possible)
        assert p_value(values, least, possible) == pytest.approx(literal(values, least, possible), rel=1e-9)
        assert 0 < p_value(values, least, possible) <= 1


@pytest.mark.parametrize("n", [10, 50, 150, 500])
def test_few_large_jumps_are_no_discovery_by_exact_enumeration(n):
    for jumps in RARE:
        if 3 * jumps > n:
            continue
        samples, chance = two_points(n, jumps, MINIMUM)
        p_values = np.array([p_value(values, MINIMUM) for values in samples])
        for alpha in (0.05, 0.01, 0.001, 1e-4):
            assert chance @ (p_values <= alpha) <= alpha


def test_students_test_would_err_far_more_often_than_it_says():
    """The reason for bets: at one in ten thousand it errs eighteen times as often, and many tests need such levels."""
    samples, chance = two_points(500, 20, MINIMUM)
    assert chance @ [students(values, MINIMUM) <= 1e-4 for values in samples] > 1e-3
    assert chance @ [p_value(values, MINIMUM) <= 1e-4 for values in samples] < 1e-4
    samples, chance = two_points(150, 6, MINIMUM)
    assert chance @ [students(values, MINIMUM) <= 0.05 for values in samples] > 0.1


@pytest.mark.parametrize("n", [10, 60, 500])
@pytest.mark.parametrize("kind", ["even", "left", "right", "three", "equal", "mixed means"])
def test_errors_of_the_first_kind_are_as_rare_as_they_should_be(kind, n):
    """400 samples of a mean of exactly MINIMUM; the bound leaves room for three standard errors."""
    rng, m = np.random.default_rng(n), MINIMUM
    draw = {
        "even": lambda: rng.uniform(m - 0.9, m + 0.9, n),
        "left": lambda: m + 0.1 - np.minimum(rng.exponential(0.1, n), 1.0),
        "right": lambda: m - 0.1 + rng.binomial(1, 0.1, n),
        "three": lambda: m + rng.choice([-1.0, 0.0, 0.2, 0.6], n, p=[0.1, 0.3, 0.5, 0.1]) - 0.06,
        "equal": lambda: np.full(n, m),
        "mixed means": lambda: m + np.where(np.arange(n) % 2, 0.4, -0.4) + rng.uniform(-0.2, 0.2, n),
    }[kind]
    p_values = np.array([p_value(np.clip(draw(), -1, 1), m) for _ in range(400)])
    for alpha in (0.05, 0.01):
        assert (p_values <= alpha).mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 400)


@pytest.mark.parametrize("n", [10, 40, 200])
@pytest.mark.parametrize("value", [0.06, 0.3, 0.9])
def test_equal_values_win_what_the_interval_allows_for_unseen_ones(n, value):
    """The best stake wins 1 / α where the interval's lower end at level α reaches the bound; the others cost little."""
    unseen = ((1 + MINIMUM) / (1 + value)) ** n
    assert unseen <= p_value(np.full(n, value), MINIMUM) <= unseen * 2 * (n + 1)
    q = 1 - unseen ** (1 / n)
    assert (1 - q) * value - q == pytest.approx(MINIMUM)


def test_what_the_test_shows_the_interval_shows_as_well():
    rng = np.random.default_rng(4)
    for n in (10, 30, 100, 400):
        for mean in np.linspace(0, 0.5, 11):
            values = np.clip(mean + 0.25 * rng.normal(size=n), -1, 1)
            if p_value(values, MINIMUM) <= RATE:
                assert mean_difference(values)[1][0] >= MINIMUM


def test_a_large_effect_on_many_samples_has_a_p_value_above_zero():
    assert 0 < p_value(np.full(5000, 0.9), MINIMUM) < 1e-300


def test_samples_to_show_are_as_many_as_it_takes():
    values = np.random.default_rng(0).choice([0.0, 0.3], 50)
    needed = samples_to_show(values, 1e-6, MINIMUM)
    copies = np.resize(values, needed)
    assert 1e-7 < p_value(copies, MINIMUM) < 1e-5
    assert samples_to_show(values, 1.0, MINIMUM) == 50
    assert samples_to_show(np.full(50, 0.05), 0.01, MINIMUM) is None


def test_samples_below_are_as_many_as_the_interval_takes():
    values = np.random.default_rng(0).choice([-0.1, 0.1], 60)
    needed = samples_below(values, MINIMUM)
    assert mean_difference(np.resize(values, needed + 10))[1][1] < MINIMUM
    assert mean_difference(np.resize(values, needed // 2))[1][1] > MINIMUM
    assert samples_below(np.full(10, 0.0), MINIMUM) == math.ceil(math.log(0.025) / math.log(0.95))
    assert samples_below(np.full(10, 0.05), MINIMUM) is None
    assert samples_below(np.full(10, 0.05 - 1e-9), MINIMUM) is None


# Comparisons ---------------------------------------------------------------------------------------------------------


def made(name, changes, donors=None):
    """A trial of these changes of the probability."""
    before = np.log(np.tile([0.9, 0.1], (len(changes), 1)))
    after = np.log(np.stack([0.9 - np.asarray(changes), 0.1 + np.asarray(changes)], axis=1))
    return trial(name, before, after, 1, np.arange(len(changes)), donors=donors)


def test_the_proof_is_as_sure_as_its_weakest_comparison():
    rng = np.random.default_rng(1)
    artifact, near, far = (made(name, m + 0.05 * rng.random(40)) for name, m in (("a", 0.5), ("b", 0.4), ("c", 0.0)))
    found = comparisons([artifact, near, far])
    assert [each.name for each in found] == ["artifact", "b", "c"]
    expected = [
        literal(artifact.differences, MINIMUM, 1.0),
        literal(artifact.differences - near.differences, EQUAL, 1.0),
        literal(artifact.differences - far.differences, EQUAL, 1.0),
    ]
    assert [each.p_value for each in found] == pytest.approx(expected, rel=1e-9)
    assert max(found, key=lambda each: each.p_value).name == "b"


def test_a_donor_of_pixels_is_one_value():
    rng = np.random.default_rng(2)
    artifact, patch = made("artifact", rng.uniform(0.5, 0.7, 60)), made("patch of the class", rng.uniform(0, 0.2, 60))
    donors = rng.integers(7, size=60)
    lent = Trial(patch.name, patch.effect, patch.differences, patch.indices, "", donors)
    means = [np.mean((artifact.differences - patch.differences)[donors == one]) for one in np.unique(donors)]
    own, shared = comparisons([artifact, patch])[1], comparisons([artifact, lent])[1]
    assert shared.p_value == pytest.approx(literal(means, EQUAL, 1.0), rel=1e-9)
    assert own.p_value < shared.p_value
