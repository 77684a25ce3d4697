"""Rankings by influence: the check values of the source, closed forms, chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from unhans.influence import (
    average_precision,
    chance_levels,
    cluster_gradients,
    precision_at,
    prefixes,
    rank_correlation,
    top_overlap,
)
from unhans.spray import SpRAy

RANKS = np.array([[6, 7, 5, 1, 2, 4, 3]]), np.array([[5, 7, 6, 1, 2, 3, 4]])
SCORES = -RANKS[0], -RANKS[1]  # the first rank has the largest score


def test_check_values_of_the_source():
    assert rank_correlation(*SCORES) == pytest.approx([0.929], abs=5e-4)
    assert top_overlap(*SCORES, 3) == pytest.approx([2 / 3])


def test_ties_have_average_ranks():
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 4, (5, 40)), rng.integers(0, 4, (5, 40))
    expected = [spearmanr(a, b).statistic for a, b in zip(one, two, strict=True)]
    assert rank_correlation(one, two) == pytest.approx(expected)
    assert np.isnan(rank_correlation(np.ones((1, 4)), np.arange(4)[None]))


def test_precision_counts_carriers_among_the_first():
    scores, carriers = np.array([[0.9, 0.1, 0.8, 0.7]]), [True, False, False, True]
    assert precision_at(scores, carriers, 1) == [1]
    assert precision_at(scores, carriers, 2) == [0.5]
    assert average_precision(scores, carriers) == pytest.approx([(1 + 2 / 3) / 2])
    assert np.isnan(average_precision(scores, [False] * 4))
    assert chance_levels(carriers, [0, 0, 0, 1], 0) == (pytest.approx(1 / 3), 0.5)


def test_corrected_overlap_of_random_orders_is_zero():
    rng = np.random.default_rng(1)
    one, two = rng.random((400, 60)), rng.random((400, 60))
    assert top_overlap(one, two, 15).mean() == pytest.approx(15 / 60, abs=0.02)
    assert top_overlap(one, two, 15, corrected=True).mean() == pytest.approx(0, abs=0.02)
    assert (top_overlap(one, one, 15, corrected=True) == 1).all()


@pytest.mark.parametrize("k", [0, 8])
def test_counts_out_of_range_are_one_sentence(k):
    with pytest.raises(ValueError, match=f"k must lie between 1 and 7, got {k}"):
        precision_at(SCORES[0], [True] * 7, k)


def grams(apart, n=40, seed=0):
    """Gram matrices of two layers, in the last of which carriers (every fourth) point elsewhere."""
    rng = np.random.default_rng(seed)
    carriers = np.arange(n) % 4 == 0
    early, late = rng.normal(size=(n, 30)), rng.normal(size=(n, 30))
    late[:, 0] += np.where(carriers, apart, -apart)
    return {name: torch.from_numpy(each @ each.T) for name, each in (("early", early), ("late", late))}, carriers


def test_clusters_find_carriers_whose_gradients_point_elsewhere():
    found = cluster_gradients(*_ordered(12.0))
    assert [each.layers for each in found] == prefixes(["early", "late"])
    assert found[0].adjusted_rand == 1
    assert found[0].precision == found[0].recall == 1
    assert sorted(map(tuple, found[0].counts)) == [(0, 30), (10, 0)]


def test_without_a_difference_they_agree_by_chance():
    values = [cluster_gradients(*_ordered(0.0, seed))[0].adjusted_rand for seed in range(10)]
    assert abs(np.mean(values)) < 0.1


def _ordered(apart, seed=0):
    found, carriers = grams(apart, seed=seed)
    return found, SpRAy(n_neighbors=7), carriers
