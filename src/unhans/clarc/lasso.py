"""The lasso on many more features than samples, solved on the features that can matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.clarc.span import combined

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
