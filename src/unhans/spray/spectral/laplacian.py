"""The spectrum of the normalised graph Laplacian ([000] §2.1, eq. 2-3)."""

from __future__ import annotations

from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, eigh
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackError, eigsh, lobpcg

DENSE = 2048  # samples up to which a component's matrix is solved as a whole: half a second, 32 MB
BASES = (4, 8, 16)  # Lanczos vectors per eigenvalue wanted; fewer miss more copies of repeated eigenvalues
ACCURACY = 1e-8  # largest residual of an eigenvector that is taken from the last resort

Spectrum = tuple[NDArray[np.float64], NDArray[np.float64]]


def laplacian_spectrum(affinity: csr_array, n_eigenvalues: int, random_state: np.random.RandomState) -> Spectrum:
    """Return the q smallest eigenvalues, ascending, and eigenvectors (n, q) of L_sym = I − D^-½ A D^-½ ([000] eq. 2).

    The spectrum lies in [0, 2] and is the union of the spectra of the connected components, each found by itself:
    so it holds exactly one zero per component, whose vector is D^½ on the component and zero elsewhere, larger
    components first. At most n values.

    Components of up to 2,048 samples are solved as dense matrices. Of larger ones the Lanczos method finds the
    eigenvalues, but may miss copies of one that is repeated, and give the next instead: equal heatmaps cause them.

    Args:
        affinity: A (n, n), symmetric; every sample must have a neighbour.
        n_eigenvalues: q.
        random_state: of the vectors in which the searches begin.

    Raises:
        ValueError: neither the Lanczos method nor LOBPCG converges.
    """
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    root = 1 / np.sqrt(degree)
    normalised = csr_array(affinity * root[:, None] * root[None, :])
    parts = components(affinity)
    q = min(n_eigenvalues, len(degree))
    wanted = max(q - len(parts), 0) + 1  # of each component: its zero, and what it could contribute beside
    found = [_connected(normalised[part][:, part], degree[part], wanted, random_state) for part in parts[:q]]
    columns = [(part, vector) for part, (_, vectors) in zip(parts, found, strict=False) for vector in vectors.T]
    values = np.concatenate([value for value, _ in found])
    lowest = np.argsort(values, kind="stable")[:q]
    embedding = np.zeros((len(degree), q))
    for column, index in enumerate(lowest):
        part, vector = columns[index]
        embedding[part, column] = vector
    return values[lowest], embedding


def eigengap(eigenvalues: NDArray[np.float64]) -> tuple[int, float]:
    """Return the number of eigenvalues before the largest gap (the suggested number of clusters) and the gap.

    All q of them where they are equal: the graph is in at least so many pieces.
    """
    gaps = np.diff(eigenvalues)
    if not gaps.any():
        return len(eigenvalues), 0.0
    return int(gaps.argmax()) + 1, float(gaps.max())


def components(affinity: csr_array) -> list[NDArray[np.int64]]:
    """Return the samples of each connected component, the largest component first, of equal ones the earlier."""
    count, labels = connected_components(affinity, directed=False)
    parts = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels, minlength=count))[:-1])
    return sorted(parts, key=lambda part: (-len(part), part[0]))


def _connected(normalised: csr_array, degree: NDArray[np.float64], q: int, random: np.random.RandomState) -> Spectrum:
    q = min(q, len(degree))
    trivial = np.sqrt(degree / degree.sum())
    if q == 1:
        return np.zeros(1), trivial[:, None]
    sparse = len(degree) > DENSE and 2 * q < len(degree)
    values, vectors = _lanczos(normalised, q, random) if sparse else _dense(normalised, q)
    values[0], vectors[:, 0] = 0, trivial
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(q)]
    return values, vectors * np.sign(largest)


def _lanczos(normalised: csr_array, q: int, random_state: np.random.RandomState) -> Spectrum:
    n, refused = normalised.shape[0], None
    for basis in BASES:
        start = random_state.uniform(-1, 1, n)
        try:
            # the largest algebraic: "LM" would mix in those near −1
            return _ascending(*eigsh(normalised, k=q, which="LA", v0=start, ncv=min(n, max(basis * q, 20))))
        except ArpackError as error:  # repeated eigenvalues leave it no vector to go on with; a larger basis may
            refused = error
    return _lobpcg(normalised, q, random_state, refused)


def _lobpcg(
    normalised: csr_array, q: int, random_state: np.random.RandomState, refused: ArpackError | None
) -> Spectrum:
    """The last resort, where ARPACK refused; its error is the cause of ours."""
    start = random_state.uniform(-1, 1, (normalised.shape[0], q))
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # that it did not converge is found out below
        values, vectors = lobpcg(normalised, start, tol=ACCURACY / 10, maxiter=2000)
    residual = np.linalg.norm(normalised @ vectors - vectors * values, axis=0).max()
    if not residual <= ACCURACY:
        raise ValueError(
            f"{q} eigenvectors of a graph of {len(start)} samples were not found: residual {residual:.1e}"
        ) from refused
    return _ascending(values, vectors)


def _dense(normalised: csr_array, q: int) -> Spectrum:
    n, matrix = normalised.shape[0], normalised.toarray()
    try:
        return _ascending(*eigh(matrix, subset_by_index=(n - q, n - 1)))
    except LinAlgError:  # LAPACK's driver for a part of the eigenvectors may fail where eigenvalues repeat
        values, vectors = eigh(matrix, driver="evd")
        return _ascending(values[-q:], vectors[:, -q:])


def _ascending(similarity: NDArray[np.float64], vectors: NDArray[np.float64]) -> Spectrum:
    order = np.argsort(-similarity, kind="stable")
    return np.clip(1 - similarity[order], 0, 2), vectors[:, order]
