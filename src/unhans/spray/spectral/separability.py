"""How well the clusters of an embedding are separated: the Fisher criterion ([000] §2.3, eq. 4-8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

FLOOR = 1e-3  # smallest scatter within clusters, as a share of the mean scatter per direction of the whole embedding


def fisher_separability(embedding: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the largest λ of S_b v = λ S_w v for an embedding (n, q) and its cluster labels (n,).

    S_w = Σ_k Σ_{i∈k} (x_i−μ_k)(x_i−μ_k)ᵀ; S_b = Σ_k (μ_k−μ)(μ_k−μ)ᵀ, not weighted by cluster size.
    S_w is singular where fewer than q samples are free to vary or clusters are points; the criterion would be infinite.
    Eigenvalues of S_w below a thousandth of the mean scatter per direction are lifted to it; others are left alone.
    """
    centred = embedding - embedding.mean(axis=0)
    members = np.unique(labels)[:, None] == labels
    means = (members @ centred) / members.sum(axis=1, keepdims=True)
    residual = centred - means[np.unique(labels, return_inverse=True)[1]]
    scatter, directions = eigh(residual.T @ residual)
    floor = FLOOR * np.square(centred).sum() / embedding.shape[1]
    if floor == 0:
        return 0.0
    whitened = means @ directions / np.sqrt(np.maximum(scatter, floor))
    return float(np.linalg.norm(whitened, 2) ** 2)
