"""The spectrum of the normalised graph Laplacian ([000] §2.1, eq. 2-3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh

ZERO = 1e-10  # a connected graph of n samples has λ₂ of the order 1/n² or more, rounding is below 1e-13

Spectrum = tuple[NDArray[np.float64], NDArray[np.float64]]


def laplacian_spectrum(affinity: csr_array, n_eigenvalues: int, random_state: np.random.RandomState) -> Spectrum:
    """Return the q smallest eigenvalues, ascending, and eigenvectors (n, q) of L_sym = I − D^-½ A D^-½.

    Every sample must have a neighbour. The spectrum lies in [0, 2] and holds one zero per connected component.
    """
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    root = 1 / np.sqrt(degree)
    normalised = csr_array(affinity * root[:, None] * root[None, :])
    q = min(n_eigenvalues, len(degree))
    eigenvalues, vectors = _lanczos(normalised, q, random_state) if 2 * q < len(degree) else _dense(normalised, q)
    # Lanczos may miss copies of a repeated eigenvalue; how many zeros there must be is known.
    if np.sum(eigenvalues < ZERO) != min(q, connected_components(affinity, directed=False)[0]):
        eigenvalues, vectors = _dense(normalised, q)
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(q)]
    return eigenvalues, vectors * np.sign(largest)


def eigengap(eigenvalues: NDArray[np.float64]) -> tuple[int, float]:
    """Return the number of eigenvalues before the largest gap (the suggested number of clusters) and the gap."""
    gaps = np.diff(eigenvalues)
    return int(gaps.argmax()) + 1, float(gaps.max())


def _lanczos(normalised: csr_array, q: int, random_state: np.random.RandomState) -> Spectrum:
    start = random_state.uniform(-1, 1, normalised.shape[0])
    # the largest algebraic: "LM" would mix in those near −1
    return _ascending(*eigsh(normalised, k=q, which="LA", v0=start))


def _dense(normalised: csr_array, q: int) -> Spectrum:
    n = normalised.shape[0]
    return _ascending(*eigh(normalised.toarray(), subset_by_index=(n - q, n - 1)))


def _ascending(similarity: NDArray[np.float64], vectors: NDArray[np.float64]) -> Spectrum:
    order = np.argsort(-similarity, kind="stable")
    return np.clip(1 - similarity[order], 0, 2), vectors[:, order]
