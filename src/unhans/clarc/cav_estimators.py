"""How a direction is found from labelled samples, in the span of the samples [001; METHODS §5].

Every function takes the centred Gram matrix (n, n) of the samples, scaled so that their mean squared norm is 1, and
which of them are affected (n,), and returns one coefficient per sample: the direction is their weighted sum.

The lasso on many more features than samples, solved on the features that can matter.

Solving for a direction on some of the samples and scoring others, without a vector per fold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.clarc.gram import centred_gram, combined

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


SHARE = 0.1  # of the smallest λ at which every weight is zero
STEP = 512  # features that join the working set at once
SLACK = 1e-3  # how far, in λ, a gradient may exceed its bound: the accuracy of the coordinate descent


@dataclass(frozen=True)
class Sparse:
    """The features (m,) that have a weight, and their weights."""

    columns: Tensor
    weights: NDArray[np.float64]


def lasso(features: Tensor, affected: NDArray[np.bool_], penalty: float = 1.0) -> Sparse:
    """Minimise ‖t − Xw‖²/(2n) + λ‖w‖₁ for features (n, d) and labels less their means.

    λ is `penalty` tenths of the one at which all weights vanish. Features join a working set until none outside it
    violates the optimality condition |x_jᵀ(t − Xw)|/n ≤ λ, so that the solution is that of all features.
    """
    label = affected - affected.mean()
    gradient = _gradient(features, label)
    bound = SHARE * penalty * float(gradient.max())
    working = np.empty(0, dtype=np.int64)
    found = Sparse(torch.empty(0, dtype=torch.int64), np.empty(0))
    while True:
        outside = np.setdiff1d(np.flatnonzero(gradient > bound * (1 + SLACK)), working)
        if not len(outside):
            return found
        joining = outside[np.argsort(-gradient[outside], kind="stable")[:STEP]]
        working = np.sort(np.concatenate([working, joining]))
        found, residual = _on(features, label, working, bound)
        gradient = _gradient(features, residual)


def _gradient(features: Tensor, residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """|xᵀ residual|/n of every feature less its mean; the residual is centred, so the mean does not matter."""
    weights = (residual - residual.mean()) / len(residual)
    return combined(features, weights[None])[0].abs().numpy()


def _on(
    features: Tensor, label: NDArray[np.float64], working: NDArray[np.int64], bound: float
) -> tuple[Sparse, NDArray[np.float64]]:
    """The solution among the features of the working set, and what it leaves of the labels."""
    from sklearn.linear_model import Lasso

    columns = torch.from_numpy(working)
    matrix = features[:, columns].double().numpy()
    matrix = matrix - matrix.mean(0)
    weights = Lasso(alpha=bound, fit_intercept=False, tol=1e-6, max_iter=100_000).fit(matrix, label).coef_
    kept = weights != 0
    return Sparse(columns[torch.from_numpy(kept)], weights[kept]), label - matrix @ weights


Rows = NDArray[np.int64]


class Solver(Protocol):
    """An estimator on features (n, d)."""

    def solve(self, rows: Rows) -> Any:
        """Return the estimate from these samples, in a short form."""
        ...

    def scores(self, solution: Any, rows: Rows) -> Array:
        """Return the inner products of samples, less the mean of all, with an estimate made a unit vector."""
        ...

    def direction(self, solution: Any) -> Tensor:
        """Return an estimate as a vector (d,) in float64."""
        ...


class InSpan:
    """An estimate in the span of the samples, kept as one coefficient per sample."""

    def __init__(
        self, features: Tensor, affected: NDArray[np.bool_], coefficients: Coefficients, penalty: float
    ) -> None:
        self.features, self.affected, self.penalty = features, affected, penalty
        self.coefficients = coefficients
        self.gram = centred_gram(features)

    def solve(self, rows: Rows) -> Array:  # noqa: D102
        gram = self.gram[np.ix_(rows, rows)]
        gram = gram - gram.mean(0) - gram.mean(1)[:, None] + gram.mean()
        scale = np.trace(gram) / len(rows)
        found = self.coefficients(gram / (scale or 1.0), self.affected[rows], self.penalty)
        solution = np.zeros(len(self.gram))
        solution[rows] = found - found.mean()  # of features less the mean of these rows
        return solution

    def scores(self, solution: Array, rows: Rows) -> Array:  # noqa: D102
        squared = float(solution @ self.gram @ solution)
        return self.gram[rows] @ solution / (np.sqrt(squared) if squared > 0 else 1.0)

    def direction(self, solution: Array) -> Tensor:  # noqa: D102
        return combined(self.features, solution[None])[0]


class InFeatures:
    """The lasso, whose penalty depends on the coordinates: an estimate of few features that are not zero."""

    def __init__(self, features: Tensor, affected: NDArray[np.bool_], penalty: float) -> None:
        self.features, self.affected, self.penalty = features, affected, penalty

    def solve(self, rows: Rows) -> Sparse:  # noqa: D102
        features = self.features if len(rows) == len(self.features) else self.features[torch.from_numpy(rows)]
        return lasso(features, self.affected[rows], self.penalty)

    def scores(self, solution: Sparse, rows: Rows) -> Array:  # noqa: D102
        columns = self.features[:, solution.columns].double().numpy()
        length = float(np.linalg.norm(solution.weights)) or 1.0
        return (columns[rows] - columns.mean(0)) @ solution.weights / length

    def direction(self, solution: Sparse) -> Tensor:  # noqa: D102
        direction = torch.zeros(self.features.shape[1], dtype=torch.float64)
        direction[solution.columns] = torch.from_numpy(solution.weights)
        return direction


def solver(estimator: str, features: Tensor, affected: NDArray[np.bool_], penalty: float) -> Solver:
    """Return what fits this estimator."""
    if estimator == "lasso":
        return InFeatures(features, affected, penalty)
    return InSpan(features, affected, IN_SPAN[estimator], penalty)
