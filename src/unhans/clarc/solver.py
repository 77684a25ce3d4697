"""Solving for a direction on some of the samples and scoring others, without a vector per fold."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.clarc.estimator import IN_SPAN, Array, Coefficients
from unhans.clarc.lasso import Sparse, lasso
from unhans.clarc.span import centred_gram, combined

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
