"""Trained on × tested on: every number against a literal second version."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control, t

from unhans.comparison import OTHER, UNASKED, UNREAD, SwapImages, SwapRow, is_one_off, study_swap
from unhans.stats import wilson

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 4, 200)
NAMES = ["infant", "child", "adult", "old"]


def answers(share):
    """Predictions of which so many are right."""
    found = RANDOM.integers(0, 4, len(LABELS))
    right = RANDOM.random(len(LABELS)) < share
    found[right] = LABELS[right]
    return found


PREDICTED = {"a": answers(0.9), "b": answers(0.5)}
PREDICTED["b"][:3] = OTHER, UNREAD, UNREAD
OTHERS = {"a": answers(0.4), "b": answers(0.42)}
IMAGES = {name: SwapImages(LABELS) for name in "ab"}


@pytest.fixture(scope="module")
def study():
    rows = [SwapRow("one", "a", ["one"], [PREDICTED]), SwapRow("two", "b", ["two"], [OTHERS])]
    return study_swap(rows, IMAGES, NAMES, [0, 1, 2, 3])


def test_accuracy_and_cost_are_counted_image_by_image(study):
    read = [i for i in range(200) if PREDICTED["b"][i] != UNREAD]
    hits = {name: [PREDICTED[name][i] == LABELS[i] for i in read] for name in "ab"}
    cell = study.cell("one", "b")
    assert (cell.accuracy.mean, cell.accuracy.n) == (sum(hits["b"]) / len(read), 198)
    assert cell.accuracy.interval == pytest.approx(wilson(sum(hits["b"]), len(read)))
    assert cell.cost.difference.mean == pytest.approx((sum(hits["a"]) - sum(hits["b"])) / len(read))
    low, high = cell.cost.difference.interval
    assert 0 < low < cell.cost.difference.mean < high
    only = [sum(x and not y for x, y in zip(hits[one], hits[two], strict=True)) for one, two in ("ab", "ba")]
    assert [cell.cost.only_own, cell.cost.only_other] == only
    assert study.unread == {"a": 0, "b": 2}
    assert study.cell("one", "a").cost is None


def test_p_values_are_adjusted_for_all_swaps(study):
    plain = [binomtest(one.cost.only_own, one.cost.only_own + one.cost.only_other).pvalue for one in study.swaps]
    assert [one.cost.p for one in study.swaps] == pytest.approx(false_discovery_control(plain))
    assert [one.cost.proven for one in study.swaps] == [True, False]


def test_one_off_by_a_loop():
    predicted, order = PREDICTED["b"], [2, 0, 3, 1]
    expected = [p >= 0 and abs(order[p] - order[t]) <= 1 for p, t in zip(predicted.tolist(), LABELS, strict=True)]
    assert is_one_off(predicted, LABELS, order).tolist() == expected


def test_a_pair_narrows_the_interval_and_other_images_are_no_pair():
    right = {name: np.where(np.arange(200) < n, LABELS, (LABELS + 1) % 4) for name, n in (("a", 150), ("b", 140))}
    row = [SwapRow("one", "a", ["one"], [right])]
    together = study_swap(row, IMAGES, NAMES).cell("one", "b").cost
    apart = study_swap(row, IMAGES | {"b": SwapImages(LABELS, paired=False)}, NAMES).cell("one", "b").cost
    assert np.ptp(together.difference.interval) < 0.5 * np.ptp(apart.difference.interval)
    assert together.proven
    assert (apart.proven, apart.p, apart.only_own) == (False, None, None)


def test_classes_and_seeds():
    rows = [SwapRow("seeds", "a", ["one", "two"], [PREDICTED, OTHERS]), SwapRow("unknown", None, ["two"], [OTHERS])]
    study = study_swap(rows, IMAGES, NAMES)
    cell = study.cell("seeds", "a")
    shares = [np.mean(each["a"][LABELS == 2] == 2) for each in (PREDICTED, OTHERS)]
    assert cell.by_class["adult"].mean == pytest.approx(np.mean(shares))
    assert study.cell("seeds", "b").cost.difference.seeds == 2
    assert (len(study.swaps), study.single) == (1, [])
    assert study.cell("unknown", "b").cost is None


def test_images_that_nobody_can_read_are_refused():
    nothing = PREDICTED | {"b": np.full(200, UNREAD)}
    with pytest.raises(ValueError, match="none of the images of 'b' could be read"):
        study_swap([SwapRow("one", "a", ["one"], [nothing])], IMAGES, NAMES)


def test_folds_are_pooled_and_their_interval_holds_what_they_differ_by():
    fold, names = np.arange(200) % 4, "ab"
    each = [{name: np.where(fold == k, PREDICTED[name], UNASKED) for name in names} for k in range(4)]
    row = SwapRow("folds", "a", list("wxyz"), each, fold_ratio=1 / 3)
    study = study_swap([row], IMAGES, NAMES)
    right = {name: np.array(PREDICTED[name] == LABELS) for name in names}
    read = PREDICTED["b"] != UNREAD
    found = study.cell("folds", "b")
    assert (found.accuracy.mean, found.accuracy.n) == (pytest.approx(right["b"][read].mean()), 198)
    values = [right["b"][read & (fold == k)].mean() for k in range(4)]
    half = t.ppf(0.975, 3) * np.sqrt((1 / 4 + 1 / 3) * np.var(values, ddof=1))
    pooled, mean = wilson(int(right["b"][read].sum()), 198), right["b"][read].mean()
    assert found.accuracy.interval == pytest.approx((min(mean - half, pooled[0]), max(mean + half, pooled[1])))
    lost = [(right["a"] ^ False)[read & (fold == k)].mean() - values[k] for k in range(4)]
    half = t.ppf(0.975, 3) * np.sqrt((1 / 4 + 1 / 3) * np.var(lost, ddof=1))
    one = study_swap([SwapRow("one", "a", ["one"], [PREDICTED])], IMAGES, NAMES).cell("one", "b").cost.difference
    cost = found.cost.difference
    assert cost.mean == pytest.approx(one.mean)
    ends = min(one.mean - half, one.interval[0]), max(one.mean + half, one.interval[1])
    assert cost.interval == pytest.approx(ends)
    assert (cost.seeds, cost.of, found.cost.p) == (4, "folds and samples", None)
    assert study.unread == {"a": 0, "b": 2}


def test_confusions_by_a_loop(study):
    expected = [[0] * 5 for _ in NAMES]
    for label, predicted in zip(LABELS.tolist(), PREDICTED["b"].tolist(), strict=True):
        if predicted != UNREAD:
            expected[label][4 if predicted == OTHER else predicted] += 1
    assert study.confusion(study.cell("one", "b")).tolist() == expected
