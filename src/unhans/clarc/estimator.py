"""How a direction is found from labelled samples, in the span of the samples [001; METHODS §5].

Every function takes the centred Gram matrix (n, n) of the samples, scaled so that their mean squared norm is 1, and
which of them are affected (n,), and returns one coefficient per sample: the direction is their weighted sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Coefficients = Callable[[Array, NDArray[np.bool_], float], Array]

NEGLIGIBLE = 1e-10  # eigenvalues of the Gram matrix below this share of the largest are rounding


def mean_difference(gram: Array, affected: NDArray[np.bool_], penalty: float) -> Array:
    """Mean of the affected less mean of the unaffected samples."""
    return affected / affected.sum() - ~affected / (~affected).sum()


def pattern(gram: Array, affected: NDArray[np.bool_], penalty: float) -> Array:
    """cov(h, t) / var(t) for the labels t: how the features depend on the label, not how to tell it from them.

    For two classes that is their mean difference exactly, whatever their sizes.
    """
    label = affected.astype(np.float64)
    return (label - label.mean()) / (len(label) * label.var())


def ridge(gram: Array, affected: NDArray[np.bool_], penalty: float) -> Array:
    """Least squares of the centred labels with penalty‖w‖²: (K + penalty I)⁻¹ t."""
    label = affected - affected.mean()
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), label)


def svm(gram: Array, affected: NDArray[np.bool_], penalty: float) -> Array:
    """Linear support vector machine, squared hinge, C = 1/penalty, both classes of equal weight."""
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=1 / penalty, class_weight="balanced", dual=False, tol=1e-6, max_iter=10_000)
    return _in_coordinates(machine, gram, affected)


def logistic(gram: Array, affected: NDArray[np.bool_], penalty: float) -> Array:
    """Logistic regression, C = 1/penalty, both classes of equal weight."""
    from sklearn.linear_model import LogisticRegression

    return _in_coordinates(
        LogisticRegression(C=1 / penalty, class_weight="balanced", tol=1e-8, max_iter=10_000), gram, affected
    )


def _in_coordinates(classifier: Any, gram: Array, affected: NDArray[np.bool_]) -> Array:
    """Fit a linear classifier to the samples' coordinates in their own span, where distances are the same."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > NEGLIGIBLE * values[-1]
    lengths, axes = np.sqrt(values[kept]), vectors[:, kept]
    weights = classifier.fit(axes * lengths, affected).coef_[0]
    return axes @ (weights / lengths)


IN_SPAN: dict[str, Coefficients] = {
    function.__name__: function for function in (svm, logistic, ridge, mean_difference, pattern)
}
ESTIMATORS = (*IN_SPAN, "lasso")
