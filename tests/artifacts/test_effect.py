import numpy as np
import pytest

from unhans.artifacts import flip_effect
from unhans.artifacts.effect import bootstrap, rank_of, wilson

BEFORE = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2], [0.2, 0.1, 0.7]])
AFTER = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7], [0.6, 0.1, 0.3], [0.4, 0.5, 0.1]])


def test_hand_computed_effect():
    effect = flip_effect(BEFORE, AFTER, target=2)
    assert effect.n == 4
    assert effect.share == 1 / 4  # the first; the second was the target before
    assert effect.probability == pytest.approx((0.6 + 0.1 + 0.1 - 0.6) / 4)
    assert effect.rank == (2 + 0 + 1 - 2) / 4
    assert effect.rank_interval[0] < effect.rank < effect.rank_interval[1]
    assert effect.probability_interval[0] < effect.probability < effect.probability_interval[1]


def test_rank_is_the_place_in_the_sorted_list():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(20), size=50)
    for target in (0, 7, 19):
        slow = [sorted(row, reverse=True).index(row[target]) for row in probabilities]
        assert rank_of(probabilities, target).tolist() == slow


def test_taking_the_artifact_away_is_the_opposite():
    there, back = flip_effect(BEFORE, AFTER, 2), flip_effect(AFTER, BEFORE, 2)
    assert there.rank == -back.rank
    assert there.probability == pytest.approx(-back.probability)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (17, 240)])
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


@pytest.mark.parametrize(
    ("before", "after", "target", "sentence"),
    [
        (BEFORE, AFTER[:3], 0, r"same samples, got shapes \(4, 3\) and \(3, 3\)"),
        (BEFORE[:0], AFTER[:0], 0, r"n ≥ 1 samples of other classes, got shape \(0, 3\)"),
        (BEFORE, AFTER, 3, "class index 0 … 2, got 3"),
        (BEFORE * 9 - 3, AFTER, 0, "logits"),
        (BEFORE * np.nan, AFTER, 0, "not finite"),
    ],
)
def test_bad_input_is_one_sentence(before, after, target, sentence):
    with pytest.raises(ValueError, match=sentence):
        flip_effect(before, after, target)
