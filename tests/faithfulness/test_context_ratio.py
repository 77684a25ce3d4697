"""The context ratio against a literal version, its states, and what is made of it class by class."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.effects import portion
from unhans.faithfulness import (
    ContextRatios,
    ContextState,
    co_occurrence,
    context_ratio,
    difference_of_context,
    relate_to_accuracy,
    states_after,
    states_before,
    summarise_classes,
    summarise_context,
)


def literal(heatmap, region):
    """μ pixel by pixel, as [003 eq. 4.11] with positive relevance only."""
    sums, counts = {True: 0.0, False: 0.0}, {True: 0, False: 0}
    for y, x in np.ndindex(heatmap.shape):
        where = bool(region[y, x])
        counts[where] += 1
        if heatmap[y, x] > 0:
            sums[where] += float(heatmap[y, x])
    return (sums[False] / counts[False]) / (sums[True] / counts[True])


def boxes(n, size=8, seed=0):
    random = np.random.default_rng(seed)
    regions = np.zeros((n, size, size), dtype=bool)
    for one in regions:
        top, left = random.integers(0, size - 3, 2)
        one[top : top + 3, left : left + random.integers(1, 4)] = True
    return random.normal(size=regions.shape).astype(np.float32), regions


def test_mu_is_the_literal_one_and_follows_from_the_portion():
    maps, regions = boxes(9)
    inside, mu = context_ratio(maps, regions)
    assert mu == pytest.approx([literal(*pair) for pair in zip(maps, regions, strict=True)])
    p = np.array([portion(*pair) for pair in zip(maps, regions, strict=True)])
    assert inside == pytest.approx(p)
    area = regions.mean((1, 2))
    assert mu == pytest.approx((1 - p) / p * area / (1 - area))


def test_relevance_that_is_everywhere_the_same_has_mu_one():
    _, regions = boxes(4)
    inside, mu = context_ratio(np.ones(regions.shape), regions)
    assert mu == pytest.approx(np.ones(4))
    assert inside == pytest.approx(regions.mean((1, 2)))
    assert context_ratio(5 * np.ones(regions.shape), regions)[1] == pytest.approx(mu)


def test_nothing_inside_nothing_outside_and_nothing_at_all():
    region = np.zeros((1, 4, 4), dtype=bool)
    region[:, :2] = True
    for relevance, state, expected in (
        (np.where(region, -1, 1), ContextState.NONE_INSIDE, np.inf),
        (np.where(region, 1, -1), ContextState.NONE_OUTSIDE, 0),
        (np.where(region, -1, 0), ContextState.NO_RELEVANCE, np.nan),
        (np.where(region, 3, 1), ContextState.MEASURED, 1 / 3),
    ):
        inside, mu = context_ratio(relevance.astype(float), region)
        assert mu == pytest.approx(expected, nan_ok=True)
        assert states_after(inside).tolist() == [state]
    with pytest.raises(ValueError, match="expects finite heatmaps"):
        context_ratio(np.full((1, 4, 4), np.nan), region)
    with pytest.raises(ValueError, match=r"got \(1, 4, 5\) and \(1, 4, 4\)"):
        context_ratio(np.ones((1, 4, 5)), region)


def test_what_is_left_out_before_anything_is_explained():
    regions = np.zeros((5, 10, 10), dtype=bool)
    regions[0, :9] = True  # 90 % is not more than 90 %
    regions[1, :9] = regions[1, 9, 0] = True
    regions[4, 0] = True
    found = states_before(regions, np.array([True, True, True, False, True]))
    names = ["MEASURED", "COVERED", "UNSEEN", "NO_OBJECT", "MEASURED"]
    assert [ContextState(each).name for each in found] == names


def ratios(mu, labels, predicted=None, state=None):
    mu, labels = np.asarray(mu, float), np.asarray(labels)
    inside = 1 / (1 + 3 * mu)  # of objects on a quarter of the image
    return ContextRatios(
        np.arange(len(mu)), labels, labels if predicted is None else np.asarray(predicted),
        states_after(inside) if state is None else np.asarray(state, np.int8), np.full(len(mu), 0.25), inside, mu,
    )  # fmt: skip


def test_what_has_no_finite_mu_is_counted_apart():
    found = ratios([0.5, 2.0, np.inf, 0.0, 4.0], [1] * 5, [1, 1, 0, 1, 1])
    one = summarise_context(found)
    assert one.counts[ContextState.MEASURED] == 3
    assert one.counts[ContextState.NONE_INSIDE] == one.counts[ContextState.NONE_OUTSIDE] == 1
    assert one.median.value == pytest.approx(np.log(2))
    assert one.mean.mean == pytest.approx(np.log([0.5, 2, 4]).mean())
    assert one.inside.n == 5  # a share of 0 or of 1 is one
    assert one.weighted.mean == pytest.approx(4 * one.inside.mean)
    assert one.accuracy.share == 0.8
    nothing = summarise_context(found.take(found.state == ContextState.NONE_INSIDE))
    assert np.isnan(nothing.median.value)
    assert nothing.median.n == 0


def test_classes_against_accuracy():
    """Classes whose accuracy rises as μ falls: ρ = −1, a falling line, thirds in order; one class has no μ."""
    parts = [ratios([np.exp(2 - k)] * 10, [k] * 10, [k] * (k + 3) + [9] * (7 - k)) for k in range(6)]
    found = relate_to_accuracy(summarise_classes(ContextRatios.joined([*parts, ratios([np.inf], [7])])))
    assert found.labels.tolist() == list(range(6))
    assert found.correlation.rho == pytest.approx(-1)
    assert found.line.slope == pytest.approx(-0.1)
    assert found.least.mean == pytest.approx(1.5)
    assert found.most.mean == pytest.approx(-2.5)
    few = relate_to_accuracy(summarise_classes(parts[0]))
    assert few.line is None
    assert few.least.n == few.most.n == 0


def test_models_are_compared_on_images_that_both_measured():
    one = ratios([1.0, 2.0, np.inf, 8.0], [0] * 4)
    other = ratios([4.0, 4.0, 4.0, 4.0], [0] * 4).take(np.array([3, 1, 2]))
    found = difference_of_context(one, other)
    assert found.n == 2
    assert found.mean == pytest.approx((np.log(2) + np.log(1 / 2)) / 2)


def test_co_occurrence_against_counts_by_hand():
    shown = [{"bicycle", "person"}, {"bicycle", "person", "car"}, {"bicycle"}, {"person"}, {"person"}, set()]
    found = co_occurrence(shown)
    assert list(found.names) == ["person", "bicycle", "car"]
    for i, row in enumerate(found.names):
        own = [each for each in shown if row in each]
        assert found.alone[i] == sum(each == {row} for each in own)
        for j, column in enumerate(found.names):
            assert found.shares[i, j] == pytest.approx(sum(column in each for each in own) / len(own))
    assert list(co_occurrence([]).names) == []
