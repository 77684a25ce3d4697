"""What SpRAy finds with different settings, compared: against literal versions and by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from unhans.spray import (
    REFERENCE,
    ClassFit,
    SpRAy,
    agreement,
    compare_settings,
    fit_class,
    holding,
    order_agreement,
    places,
    variants,
)
from unhans.spray.spectral import normalised_cuts


def maps(n=60, apart=20, step=3.0, seed=0):
    found = np.random.default_rng(seed).normal(size=(n, 6, 6))
    found[:apart] += step
    return found


def fit(lambda_2=0.1, tau=1.0, cut=0.1, group=(1, 1, 0, 0, 0, 0), labels=(0, 0, 1, 1, 1, 1), eigengap=2):
    row = np.array([labels] * 7, dtype=np.int8)
    return ClassFit(lambda_2, tau, eigengap, 5, cut, np.array(group, dtype=bool), row)


def literal_ari(left, right):
    """Hubert and Arabie's index from counts of pairs."""
    pairs = list(combinations(range(len(left)), 2))
    both = sum(left[i] == left[j] and right[i] == right[j] for i, j in pairs)
    one, other = (sum(labels[i] == labels[j] for i, j in pairs) for labels in (left, right))
    expected = one * other / len(pairs)
    return (both - expected) / ((one + other) / 2 - expected)


def test_a_fit_holds_what_spray_finds_and_the_group_that_stands_apart():
    spray = SpRAy(n_clusters=(2, 3), n_neighbors=6)
    found, fitted = fit_class(spray, maps()), SpRAy(n_clusters=(2, 3), n_neighbors=6, projection=None).fit(maps())
    assert (found.lambda_2, found.tau) == (fitted.eigenvalues_[1], fitted.separability_)
    assert (found.eigengap, found.tau_clusters) == (fitted.eigengap_, 3)
    np.testing.assert_array_equal(found.group, np.arange(60) < 20)
    assert found.cut == pytest.approx(normalised_cuts(fitted.affinity_, found.group[None])[0], abs=1e-9)
    two = found.labels[0]
    assert len(set(two[:20])) == len(set(two[20:])) == 1
    assert two[0] != two[20]


def test_agreement_is_that_of_counted_pairs():
    random = np.random.default_rng(1)
    for _ in range(5):
        left, right = random.integers(0, 3, 40), random.integers(0, 3, 40)
        right[:25] = left[:25]
        one = fit(labels=left, group=left == 0, eigengap=3)
        found = agreement(one, fit(labels=right, group=right != 0))
        assert (found.clusters, found.ari) == (3, pytest.approx(literal_ari(left, right)))
        straight = np.sum((left == 0) & (right != 0)) / np.sum((left == 0) | (right != 0))
        turned = np.sum((left == 0) & (right == 0)) / np.sum((left == 0) | (right == 0))
        assert found.jaccard == pytest.approx(max(straight, turned))  # whichever side was named


def test_what_is_not_there_does_not_agree():
    found = agreement(fit(eigengap=31), fit(labels=[-1] * 6, cut=math.nan))
    assert found.clusters == 8
    assert math.isnan(found.ari)
    assert math.isnan(found.jaccard)


def test_places_and_orders_by_hand():
    """λ₂ and cuts ascend, τ descends; ties share the better place, and no cut comes last."""
    fits = {3: fit(0.2, 4, math.nan), 5: fit(0.1, 9, 0.3), 8: fit(0.2, 1, 0.2)}
    assert places(fits, "lambda_2") == {3: 2, 5: 1, 8: 2}
    assert places(fits, "tau") == {3: 2, 5: 1, 8: 3}
    assert places(fits, "cut") == {3: 3, 5: 2, 8: 1}
    turned = {label: replace(one, tau=-one.tau) for label, one in fits.items()}
    assert order_agreement(fits, fits, "tau") == pytest.approx(1)
    assert order_agreement(fits, turned, "tau") == pytest.approx(-1)
    assert order_agreement(fits, fits | {9: fit(tau=20)}, "tau") == pytest.approx(1)  # common classes alone
    swapped = {3: fit(tau=9), 5: fit(tau=4), 8: fit(tau=1)}
    assert order_agreement(fits, swapped, "tau") == pytest.approx(0.5)  # 1 − 6 · 2 / (3 · 8)
    assert math.isnan(order_agreement({3: fits[3], 5: fits[5]}, fits, "tau"))
    assert math.isnan(order_agreement(fits, dict.fromkeys(fits, fit()), "tau"))


def test_a_finding_holds_where_the_class_stays_first_with_its_group():
    first, others = fit(0.1), {1: fit(0.2), 2: fit(0.3)}
    fits = {
        REFERENCE: {0: first} | others,
        "same": {0: fit(0.15)} | others,
        "other side named": {0: fit(0.1, group=(0, 0, 1, 1, 1, 1))} | others,
        "moved": {0: fit(0.9)} | others,
        "other group": {0: fit(0.1, group=(0, 1, 1, 0, 0, 0))} | others,
        "both": {0: fit(0.9, cut=math.nan)} | others,
        "too few": others,
    }
    found = holding(fits, REFERENCE, 0, 1, "lambda_2")
    assert (found.place, found.kept) == (1, ("same", "other side named"))
    assert found.lost == ("moved", "other group", "both")
    assert (found.moved, found.other_group) == (("moved", "both"), ("other group", "both"))
    assert found.unknown == ("too few",)
    assert "moved" in holding(fits, REFERENCE, 0, 3, "lambda_2").kept
    compared = {one.name: one for one in compare_settings(fits)}
    assert compared["same"].lambda_2 == {0: pytest.approx(1.5), 1: 1, 2: 1}
    assert set(compared["too few"].classes) == {1, 2}
    assert compared["moved"].orders["lambda_2"] == pytest.approx(-0.5)  # 1 − 6 · 6 / (3 · 8)


def test_settings_differ_in_one_parameter_each():
    spray = SpRAy(n_neighbors=7, pooling=4)
    found = variants(spray, {"n_neighbors": [5, 7, "log"], "pooling": [None]})
    assert list(found) == [REFERENCE, "n_neighbors=5", "n_neighbors=log", "pooling=null"]
    assert found[REFERENCE] is spray
    assert found["pooling=null"].get_params() == spray.get_params() | {"pooling": None}


@pytest.mark.parametrize(
    ("vary", "sentence"),
    [
        (
            {"n_neighbours": [5]},
            r"vary expects parameters of SpRAy that change its groups \(edges, metric.*got n_neigh",
        ),
        ({"projection": ["tsne"]}, "vary expects parameters .* got projection"),
        ({"n_neighbors": [5, 0]}, "n_neighbors must hold whole numbers from 1 up, got 0"),
        ({"pooling": ["all"]}, "pooling must be the size of a grid, 1 or more, got 'all'"),
        ({"pooling": [2.5]}, "pooling must be the size of a grid, 1 or more, got 2.5"),
        ({"n_neighbors": [10]}, "vary holds no value that the setting does not have already"),
        ({}, "vary holds no value"),
    ],
)
def test_bad_settings_are_one_sentence(vary, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        variants(SpRAy(), vary)
