"""Pairs of pictures: paired differences, each pair towards its own class, pairs of one picture as one."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.effects import STEPS, PairAnswers, flip_effect, own_class_first, pair_effects


def answers(n=14, classes=4, controlled=9, seed=3):
    random = np.random.default_rng(seed)
    before, after, control = random.normal(size=(3, n, classes)) * 2
    control[controlled:] = np.nan
    return PairAnswers(before, after, control, random.integers(classes, size=n), np.arange(n))


def probability(row, target):
    return np.exp(row[target]) / sum(np.exp(value) for value in row)


def by_hand(first, second, targets, pictures):
    """Means over pictures of the means over their pairs: Δp, Δlogit, Δrank, became, lost."""
    found = {}
    for one, two, target, picture in zip(first, second, targets, pictures, strict=True):
        above = [sum(value > row[target] for value in row) for row in (one, two)]
        row = (
            probability(two, target) - probability(one, target), two[target] - one[target], above[0] - above[1],
            float(above[0] > 0 and above[1] == 0), float(above[0] == 0 and above[1] > 0),
        )  # fmt: skip
        found.setdefault(int(picture), []).append(row)
    return np.mean([np.mean(rows, axis=0) for rows in found.values()], axis=0), len(found)


@pytest.mark.parametrize("pictures", [np.arange(14), np.arange(14) // 3])
def test_every_step_by_hand(pictures):
    given = answers()
    given = PairAnswers(given.before, given.after, given.control, given.targets, pictures)
    steps = {
        STEPS[0]: (given.before, given.after, slice(None)),
        STEPS[1]: (given.before, given.control, slice(9)),
        STEPS[2]: (given.control, given.after, slice(9)),
    }
    found = {one.step: one for one in pair_effects(given)}
    assert list(found) == list(steps)
    for step, (first, second, rows) in steps.items():
        means, n = by_hand(first[rows], second[rows], given.targets[rows], pictures[rows])
        one = found[step]
        numbers = [one.effect.probability, one.effect.logit, one.effect.rank, one.effect.share, one.lost]
        np.testing.assert_allclose(numbers, means, atol=1e-12)
        assert (one.effect.n, one.pairs) == (n, len(first[rows]))
        for value, (low, high) in (
            (one.effect.probability, one.effect.probability_interval), (one.effect.rank, one.effect.rank_interval),
            (one.effect.share, one.effect.share_interval), (one.lost, one.lost_interval),
        ):  # fmt: skip
            assert low <= value <= high


def test_of_one_class_and_different_pictures_it_is_the_effect_of_an_artifact():
    given = answers(controlled=0)
    given = PairAnswers(given.before, given.after, given.control, np.full(14, 2), given.pictures)
    (one,) = pair_effects(given, seed=5)
    expected = flip_effect(given.before, given.after, 2, seed=5)
    gone = flip_effect(given.before, given.after, 2, seed=5, lost=True)
    for name, value in vars(expected).items():
        assert getattr(one.effect, name) == pytest.approx(value)
    assert (one.lost, one.lost_interval) == (gone.share, gone.share_interval)


def test_pairs_of_one_picture_do_not_make_it_surer():
    given = answers(controlled=0)
    twice = given.take(np.repeat(np.arange(14), 2))
    assert pair_effects(twice)[0].effect.probability_interval == pytest.approx(
        pair_effects(given)[0].effect.probability_interval
    )


def test_the_own_class_comes_first_and_nothing_is_lost():
    logits, targets = answers().before, answers().targets
    swapped = own_class_first(logits, targets)
    np.testing.assert_array_equal(swapped[:, 0], [row[target] for row, target in zip(logits, targets, strict=True)])
    np.testing.assert_array_equal(np.sort(swapped), np.sort(logits))


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match="at least one pair"):
        pair_effects(answers().take(np.zeros(14, bool)))
