"""Shares of relevance in regions, named regions, and rank correlations, against literal versions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from unhans.faithfulness.training import (
    MeasuredEpoch,
    border_frame,
    box_region,
    followed,
    quadrants,
    region_shares,
    share_values,
)
from unhans.stats import Estimate, rank_correlation


def literal_shares(heatmap, mask):
    sums = {"positive": [0, 0], "negative": [0, 0], "net": [0, 0]}
    for row in range(heatmap.shape[0]):
        for column in range(heatmap.shape[1]):
            value = float(heatmap[row, column])
            sums["positive" if value > 0 else "negative"][1] += abs(value)
            if mask[row, column]:
                sums["positive" if value > 0 else "negative"][0] += abs(value)
                sums["net"][0] += value
    every = sums["positive"][1] + sums["negative"][1]
    return (
        sums["positive"][0] / sums["positive"][1],
        sums["negative"][0] / sums["negative"][1],
        (sums["positive"][0] + sums["negative"][0]) / every,
        sums["net"][0] / every,
        mask.sum() / mask.size,
    )


def test_shares_are_those_of_a_literal_version():
    rng = np.random.default_rng(0)
    maps, masks = rng.normal(size=(5, 7, 6)), rng.random((5, 7, 6)) < 0.3
    found = region_shares(maps, masks)
    for i in range(5):
        own = [getattr(found, kind)[i] for kind in ("positive", "negative", "absolute", "net", "area")]
        assert own == pytest.approx(literal_shares(maps[i], masks[i]))


def test_parts_of_an_image_add_up_and_what_is_not_there_is_unknown():
    maps = np.random.default_rng(1).normal(size=(3, 8, 9))
    shares = [region_shares(maps, np.broadcast_to(mask, maps.shape)) for mask in quadrants((8, 9)).values()]
    for kind in ("positive", "negative", "absolute", "area"):
        assert sum(getattr(one, kind) for one in shares) == pytest.approx(np.ones(3))
    nowhere = region_shares(maps, np.zeros(maps.shape, bool))
    assert all(np.isnan(each).all() for each in vars(nowhere).values())
    positive = region_shares(np.abs(maps), np.ones(maps.shape, bool))
    assert np.isnan(positive.negative).all()  # there is no negative relevance to share
    assert positive.net == pytest.approx(np.ones(3))


def test_relevance_that_turns_negative_shows_in_the_net_share_alone():
    before, after = np.ones((1, 4, 4)), np.ones((1, 4, 4))
    corner = np.zeros((1, 4, 4), bool)
    corner[:, :2, :2] = True
    after[:, 0, 0], after[:, 1, :2] = -3, -3
    values = share_values(np.concatenate([before, after]), {"tag": corner.repeat(2, 0)})
    assert values["share/tag/positive"].tolist() == pytest.approx([4 / 16, 1 / 13])
    assert values["share/tag/net"].tolist() == pytest.approx([4 / 16, (1 - 9) / 22])


def test_named_regions():
    assert border_frame((10, 20)).sum() == 200 - 8 * 18
    assert border_frame((10, 10), 0.3).sum() == 100 - 16
    parts = quadrants((5, 4))
    assert [int(mask.sum()) for mask in parts.values()] == [4, 4, 6, 6]
    assert (sum(mask.astype(int) for mask in parts.values()) == 1).all()
    box = box_region((10, 20), (0.5, 0, 1, 0.2))
    assert box[:2, 10:].all()
    assert box.sum() == 20


@pytest.mark.parametrize("width", [0, 0.5, -0.1])
def test_a_frame_leaves_something_inside(width):
    with pytest.raises(ValueError, match="a frame expects a width"):
        border_frame((10, 10), width)


@pytest.mark.parametrize("box", [(0, 0, 1.1, 1), (0.5, 0, 0.5, 1), (0.6, 0, 0.4, 1), (0, 0, 0.01, 0.01)])
def test_a_box_lies_in_the_image(box):
    with pytest.raises(ValueError, match="a box expects left, top, right and bottom in parts of the image"):
        box_region((10, 10), box)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    first, second = rng.integers(5, size=12).astype(float), rng.normal(size=12)
    second[3] = np.nan
    known = np.arange(12) != 3
    found = rank_correlation(first, second)
    assert found.n == 11
    assert found.rho == pytest.approx(spearmanr(first[known], second[known]).statistic)
    assert found.interval[0] < found.rho < found.interval[1]


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_few_points_in_order_say_as_much_as_the_orders_that_there_are(n):
    """All in order excludes 0 where fewer than 2.5 % of all orders are that good."""
    points = np.arange(n)
    as_good = np.mean([spearmanr(points, order).statistic > 1 - 1e-9 for order in permutations(points)])
    found = rank_correlation(points, points)
    assert found.rho == pytest.approx(1)
    assert (found.interval[0] > 0) == (as_good < 0.025)
    assert rank_correlation(points, -points).interval == pytest.approx((-1, -found.interval[0]))


def test_the_interval_of_a_rank_correlation_covers():
    """Of normal pairs of correlation ρ it holds Spearman's coefficient of the population in about 95 %."""
    rng, true = np.random.default_rng(1), 6 / np.pi * np.arcsin(0.6 / 2)
    drawn = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(400, 15))
    ends = np.array([rank_correlation(*sample.T).interval for sample in drawn])
    assert 0.91 < np.mean((ends[:, 0] <= true) & (true <= ends[:, 1])) <= 0.99


def test_what_says_nothing_has_no_correlation():
    for found in (rank_correlation([1, 2, 3], [1, 1, 1]), rank_correlation([1], [2])):
        assert np.isnan(found.rho)
        assert found.interval == (-1, 1)
    with pytest.raises(ValueError, match="two numbers at every point"):
        rank_correlation([1, 2], [1])


def test_accuracy_is_followed_where_it_was_measured_at_all_epochs():
    def point(epoch, **means):
        return MeasuredEpoch(epoch, {k: Estimate(v, (0, 1), "samples", 1, 3) for k, v in means.items()})

    points = [point(i, minus_random=i**2, accuracy=-i) for i in range(5)]
    found = followed(points, "minus_random")
    assert (found["epochs"].rho, found["accuracy"].rho) == pytest.approx((1, -1))
    assert list(followed([*points, point(5, minus_random=1.0)], "minus_random")) == ["epochs"]
