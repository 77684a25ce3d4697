"""Feature matrices with many more columns than rows: what is computed of them, a few columns at a time.

A penalised L2 estimate lies in the span of its samples, so all that it needs is their Gram matrix (n, n); a matrix
(d, d) is never formed, and no second copy of the features (n, d) is made.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

COLUMNS = 8192  # of 1,000 samples in float64: 64 MB


def centred_gram(features: Tensor) -> NDArray[np.float64]:
    """Return the inner products (n, n) of the rows of features (n, d), less their mean, in float64."""
    gram = torch.zeros(len(features), len(features), dtype=torch.float64)
    for part in _parts(features):
        part -= part.mean(0)
        gram += part @ part.T
    return gram.numpy()


def combined(features: Tensor, weights: NDArray[np.float64]) -> Tensor:
    """Return weighted sums (m, d) in float64 of the rows of features (n, d), for weights (m, n)."""
    factors = torch.from_numpy(np.ascontiguousarray(weights))
    return torch.cat([factors @ part for part in _parts(features)], 1)


def products(features: Tensor, direction: Tensor) -> NDArray[np.float64]:
    """Return the inner product (n,) of every row of features (n, d) with a direction (d,)."""
    pieces = zip(_parts(features), direction.double().split(COLUMNS), strict=True)
    return sum((part @ piece for part, piece in pieces), torch.zeros(len(features), dtype=torch.float64)).numpy()


def _parts(features: Tensor) -> Iterator[Tensor]:
    """Some columns of the features at a time, as new tensors in float64."""
    return (part.to(torch.float64, copy=True) for part in features.split(COLUMNS, 1))
