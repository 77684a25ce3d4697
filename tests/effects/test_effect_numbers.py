import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from unhans.effects import OTHER, flip_effect, gap, softmax
from unhans.effects.effect import differences, rank_of, trial
from unhans.effects.verdict import against
from unhans.stats import allow_for_unseen, bootstrap, bootstrap_columns, mean_difference, wilson

P_BEFORE = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2], [0.2, 0.1, 0.7]])
P_AFTER = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7], [0.6, 0.1, 0.3], [0.4, 0.5, 0.1]])
BEFORE, AFTER = np.log(P_BEFORE) + 3, np.log(P_AFTER) - 1  # softmax knows nothing of a constant


def test_hand_computed_effect():
    effect = flip_effect(BEFORE, AFTER, target=2)
    assert effect.n == 4
    assert effect.share == 1 / 4  # the first; the second was the target before
    assert effect.probability == pytest.approx((0.6 + 0.1 + 0.1 - 0.6) / 4)
    assert effect.logit == pytest.approx(np.log(7 * (7 / 6) * 1.5 / 7) / 4 - 4)
    assert effect.rank == (2 + 0 + 1 - 2) / 4
    for value, interval in (
        (effect.rank, effect.rank_interval),
        (effect.probability, effect.probability_interval),
        (effect.logit, effect.logit_interval),
    ):
        assert interval[0] < value < interval[1]


def test_a_sample_that_is_lost_is_counted_where_the_artifact_was_taken_away():
    assert flip_effect(BEFORE, AFTER, 2, lost=True).share == 1 / 4  # the last
    assert flip_effect(AFTER, BEFORE, 2, lost=True).share == flip_effect(BEFORE, AFTER, 2).share
    assert flip_effect(BEFORE, AFTER, 0, lost=True).share == 1 / 4  # the first


def test_rank_is_the_place_in_the_sorted_list():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(20), size=50)
    for target in (0, 7, 19):
        slow = [sorted(row, reverse=True).index(row[target]) for row in probabilities]
        assert rank_of(probabilities, target).tolist() == slow


def test_taking_the_artifact_away_is_the_opposite():
    there, back = flip_effect(BEFORE, AFTER, 2), flip_effect(AFTER, BEFORE, 2)
    assert there.rank == -back.rank
    assert there.probability == pytest.approx(-back.probability)
    assert there.logit == pytest.approx(-back.logit)


def test_a_saturated_probability_still_moves_its_logit():
    before, after = np.tile([30.0, 0.0], (20, 1)), np.tile([60.0, 0.0], (20, 1))
    effect = flip_effect(before, after, 0)
    assert effect.probability == pytest.approx(0, abs=1e-12)
    assert effect.logit == 30


def test_softmax_of_large_logits():
    assert softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])).tolist() == [[1, 0], [0.5, 0.5]]
    np.testing.assert_allclose(softmax(BEFORE), P_BEFORE)
    np.testing.assert_allclose(differences(BEFORE, AFTER, 2), P_AFTER[:, 2] - P_BEFORE[:, 2])


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (17, 240), (0, 1), (1, 1)])
def test_wilson_solves_the_score_equation(successes, n):
    """The interval's ends p are where |p̂ − p| = z √(p (1 − p) / n)."""
    for end in wilson(successes, n):
        assert abs(successes / n - end) == pytest.approx(1.959963984540054 * np.sqrt(end * (1 - end) / n), abs=1e-7)


def test_wilson_against_a_printed_value():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998, table I, method 3


def test_bootstrap_is_seeded_and_close_to_the_normal_interval():
    values = np.random.default_rng(1).normal(3.0, 2.0, size=400)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values, seed=1) != bootstrap(values)
    assert bootstrap(values) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.04)


def test_columns_share_their_resamples():
    values = np.random.default_rng(1).normal(size=(60, 2))
    together = bootstrap_columns(np.column_stack([values, values[:, 0] - values[:, 1], 2 * values[:, 0]]))
    assert together[0] == bootstrap(values[:, 0])
    assert together[2] == mean_difference(values[:, 0] - values[:, 1])[1]
    assert together[3] == pytest.approx(tuple(2 * end for end in together[0]))


@pytest.mark.parametrize("n", [2, 5, 10, 300])
def test_bootstrap_against_a_loop(n):
    """One resample after the other; the tail from the distributions themselves."""
    values = np.random.default_rng(n).exponential(size=n)
    rng, slow = np.random.default_rng(0), []
    for _ in range(2_000):
        slow.append(np.mean([values[row] for row in rng.integers(n, size=n)]))
    tail = norm.cdf(-np.sqrt(n / (n - 1)) * student.ppf(0.975, n - 1))
    assert tail == pytest.approx({2: 0.0, 5: 0.00095, 10: 0.0085, 300: 0.0244}[n], abs=1e-4)
    expected = np.quantile(slow, [tail, 1 - tail])
    assert bootstrap(values) == pytest.approx(tuple(expected), rel=1e-9)


def test_small_samples_are_covered():
    """19 in 20 intervals should hold the mean; plain percentiles hold it far less often for n = 5."""
    rng = np.random.default_rng(2)
    held = [low <= 0 <= high for low, high in (bootstrap(rng.normal(size=5), seed) for seed in range(300))]
    assert 0.90 < np.mean(held) <= 1


def test_equal_changes_have_no_width_and_one_sample_says_what_is_possible():
    assert bootstrap(np.full(7, 0.3)) == (0.3, 0.3)
    assert bootstrap(np.array([0.3]), possible=1.0) == (-1.0, 1.0)
    effect = flip_effect(BEFORE[:1], AFTER[:1], 2)
    assert (effect.probability_interval, effect.rank_interval) == ((-1, 1), (-2, 2))
    assert effect.logit_interval == (-np.inf, np.inf)
    assert effect.share_interval == wilson(1, 1)


@pytest.mark.parametrize("n", [1, 3, 20, 300])
def test_the_interval_allows_for_what_no_sample_showed(n):
    """A share q of another value is missed by n draws with a probability of 2.5 %; it may lie at either end."""
    low, high = allow_for_unseen((0.1, 0.3), 0.2, n, 1.0)
    q = (1 - high) / (1 - 0.2) if high > 0.3 else None
    share = np.random.default_rng(0).random((40_000, n))
    missed = 1 - np.mean((share < 1 - 0.025 ** (1 / n)).any(1))
    assert missed == pytest.approx(0.025, abs=0.004)
    assert q is None or 1 - q == pytest.approx(1 - 0.025 ** (1 / n))
    assert low <= 0.1
    assert high >= 0.3
    assert allow_for_unseen((-0.9, 0.95), 0.2, 10_000, 1.0) == (-0.9, 0.95)


def test_samples_that_share_a_donor_count_as_one():
    rng = np.random.default_rng(3)
    own = rng.normal(0.3, 0.1, 8)
    together = mean_difference(np.repeat(own, 25), groups=np.repeat(np.arange(8), 25))
    alone = mean_difference(own)
    apart = mean_difference(np.repeat(own, 25))
    assert together[0] == pytest.approx(alone[0])
    assert together[1] == pytest.approx(alone[1], abs=0.02)
    assert apart[1][1] - apart[1][0] < together[1][1] - together[1][0]


def test_gap_pairs_the_samples_that_two_trials_share():
    first = trial("artifact", BEFORE, AFTER, 2, np.array([3, 8, 5, 1]))
    second = trial("control", BEFORE[[2, 0]], AFTER[[1, 3]], 2, np.array([5, 3]))
    slow = [(0.3 - 0.2) - (0.7 - 0.2), (0.7 - 0.1) - (0.1 - 0.1)]
    assert gap(first, second)[0] == pytest.approx(np.mean(slow))
    assert gap(first, first) == (0.0, allow_for_unseen((0.0, 0.0), 0.0, 4, 1.0))
    assert gap(second, first)[0] == pytest.approx(-np.mean(slow))
    with pytest.raises(ValueError, match="'artifact' and 'control' must share samples, got none"):
        gap(first, trial("control", BEFORE[:1], AFTER[:1], 2, np.array([77])))


@pytest.mark.parametrize(
    ("before", "after", "target", "sentence"),
    [
        (BEFORE, AFTER[:3], 0, r"same samples, got shapes \(4, 3\) and \(3, 3\)"),
        (BEFORE[:0], AFTER[:0], 0, r"n ≥ 1 samples, got shape \(0, 3\)"),
        (BEFORE, AFTER, 3, "class index 0 … 2, got 3"),
        (P_BEFORE, P_AFTER, 0, "must give logits, got probabilities"),
        (BEFORE * np.nan, AFTER, 0, "must be finite"),
    ],
)
def test_bad_input_is_one_sentence(before, after, target, sentence):
    with pytest.raises(ValueError, match=sentence):
        flip_effect(before, after, target)


def test_against_another_class_a_difference_lies_within_two():
    """One probability may rise by 1 while the other falls by 1: no sample that showed it may be missing from ± 1."""
    changes = np.full(40, 0.6)
    own, other = (towards(name, changes if name == "artifact" else 0 * changes) for name in ("artifact", OTHER))
    mean, (low, high) = gap(own, other)
    q = 1 - 0.025 ** (1 / 40)
    assert (mean, low, high) == pytest.approx((0.6, (1 - q) * 0.6 - 2 * q, (1 - q) * 0.6 + 2 * q))
    assert gap(own, towards("mean colour", 0 * changes))[1][0] == pytest.approx((1 - q) * 0.6 - q)
    assert gap(towards("elsewhere", changes), own)[1] == pytest.approx((-q, q))  # both towards one class
    assert gap(own, towards(OTHER, 0 * changes[:1]))[1] == (-2.0, 2.0)
    assert against(own, other).possible == 2.0
    assert against(own, towards("mean colour", 0 * changes)).possible == 1.0


def towards(name, changes):
    """A trial of these changes of a probability of 0.2."""
    before, after = (np.log(np.stack([1 - p, p], axis=1)) for p in (np.full(len(changes), 0.2), 0.2 + changes))
    return trial(name, before, after, 1, np.arange(len(changes)))
