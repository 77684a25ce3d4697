import numpy as np
import pytest
from scipy.linalg import eigh

from unhans.spray.embedding import FLOOR, fisher_separability


def literal(x, labels, directions=1):
    """Eq. 6, 7 and 8 with loops; of several leading directions their sum (eq. 4)."""
    mean, d = x.mean(0), x.shape[1]
    within, between = np.zeros((d, d)), np.zeros((d, d))
    for k in set(labels.tolist()):
        members = [x[i] for i in range(len(x)) if labels[i] == k]
        centre = sum(members) / len(members)
        for member in members:
            within += np.outer(member - centre, member - centre)
        between += np.outer(centre - mean, centre - mean)
    return eigh(between, within, eigvals_only=True)[-directions:].sum()


@pytest.mark.parametrize("k", [2, 5, 30])
def test_equals_the_literal_definition(k):
    rng = np.random.default_rng(k)
    x, labels = rng.normal(size=(150, 32)), rng.integers(k, size=150)
    assert fisher_separability(x, labels) == pytest.approx(literal(x, labels), rel=1e-9)


@pytest.mark.parametrize("directions", [2, 4, 9])
def test_several_leading_directions_add_up(directions):
    rng = np.random.default_rng(directions)
    x, labels = rng.normal(size=(150, 12)), rng.integers(6, size=150)
    assert fisher_separability(x, labels, directions) == pytest.approx(literal(x, labels, directions), rel=1e-9)


def test_two_points_on_a_line_each():
    x = np.array([[-3.0], [-1.0], [1.0], [3.0]])  # S_w = 4, S_b = 2² + 2²
    assert fisher_separability(x, np.array([0, 0, 1, 1])) == pytest.approx(2)


def test_names_of_labels_and_order_of_samples_do_not_matter():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(40, 4)), rng.integers(3, size=40)
    order = rng.permutation(40)
    expected = fisher_separability(x, labels)
    assert fisher_separability(x[order], np.array([7, -2, 40])[labels][order]) == pytest.approx(expected)


def test_does_not_depend_on_scale_or_rotation():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(40, 4)), rng.integers(3, size=40)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert fisher_separability(5 * x @ rotation + 2, labels) == pytest.approx(fisher_separability(x, labels))


def test_clusters_that_are_points_are_bounded():
    x = np.repeat([[0.0, 0.0], [2.0, 0.0]], 10, axis=0)  # mean scatter per direction 10, S_b = 2
    assert fisher_separability(x, np.repeat([0, 1], 10)) == pytest.approx(2 / (FLOOR * 10))


def test_no_scatter_at_all_is_no_separability():
    assert fisher_separability(np.ones((6, 3)), np.array([0, 1, 0, 1, 0, 1])) == 0


def test_fewer_samples_than_directions_stay_finite():
    rng = np.random.default_rng(0)
    assert 0 < fisher_separability(rng.normal(size=(20, 32)), rng.integers(15, size=20)) < np.inf
