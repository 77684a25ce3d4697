"""Spectral Relevance Analysis of the heatmaps of one class ([000] §2, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from unhans.spray.cloud import cloud_variances, principal_coordinates
from unhans.spray.distance import check_distances, euclidean_distances
from unhans.spray.graph import knn_affinity
from unhans.spray.preprocessing import check_heatmaps, normalise, sum_pool
from unhans.spray.projection import project
from unhans.spray.separability import fisher_separability
from unhans.spray.spectrum import eigengap, laplacian_spectrum

Metric = str | Callable[[NDArray[np.floating]], NDArray[np.floating]]

SEEDS = 2**31 - 1
PER_CLUSTER = 5  # samples, on average: with fewer, clusters are single samples and τ is a number without meaning
RESTARTS = 3  # of k-means: τ varies by 2-5 % with the seed; by 5-15 % with one, ten are no steadier


class SpRAy(BaseEstimator):
    """Cluster the heatmaps of one class by spectral analysis of their nearest-neighbour graph.

    Parameters:
        metric: "euclidean"; "precomputed" (fit takes an (n, n) distance matrix); or a callable that turns the prepared
            heatmaps into such a matrix.
        n_neighbors: neighbours of each sample in the graph; must be smaller than n.
        n_eigenvalues: q, size of the embedding; at most n are used.
        n_clusters: every k to cluster with.
        pooling: None, or the grid (rows, columns) or grid size onto which relevance is summed.
        normalisation: None, "max" or "sum" (of absolute values), per heatmap, after pooling.
        projection: "umap", "tsne" or None.
        random_state: seed of the Lanczos start, k-means and the projection: same seed, same result.

    Attributes after fit:
        affinity_: (n, n) sparse, symmetric, in {0, ½, 1}.
        variances_: (n,) variances along the principal axes that the heatmaps would have without clusters.
        eigenvalues_, embedding_: (q,) ascending in [0, 2] and Φ (n, q), of L_sym.
        eigengap_, eigengap_size_: eigenvalues before the largest gap (suggested number of clusters), and that gap.
        n_clusters_: (K,) the k that were used: those up to n / 5, and to the number of distinct rows of Φ.
        labels_: (K, n), row i is the k-means clustering of Φ into n_clusters_[i].
        separability_per_k_, separability_: (K,) Fisher criteria ([000] eq. 8) and τ, their mean.
        projection_: (n, 2) map of Φ, or None.
    """

    def __init__(
        self,
        *,
        metric: Metric = "euclidean",
        n_neighbors: int = 10,
        n_eigenvalues: int = 32,
        n_clusters: Iterable[int] = range(2, 31),
        pooling: int | tuple[int, int] | None = None,
        normalisation: str | None = None,
        projection: str | None = "umap",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.n_eigenvalues = n_eigenvalues
        self.n_clusters = n_clusters
        self.pooling = pooling
        self.normalisation = normalisation
        self.projection = projection
        self.random_state = random_state

    def fit(self, heatmaps: ArrayLike, y: Any = None) -> SpRAy:
        """Analyse heatmaps (n, H, W) or (n, d), or distances (n, n) with metric="precomputed".

        Raises ValueError for an unusable parameter, n ≤ n_neighbors, values that are not finite, or heatmaps that are
        all identical.
        """
        self._check_parameters()
        random = check_random_state(self.random_state)
        distances = self._distances(heatmaps)
        if not distances.any():
            raise ValueError(f"all {len(distances)} heatmaps are identical: there is nothing to cluster")
        with threadpool_limits(1):  # small tasks: threads would only fight over the cores with the training
            self._analyse(distances, random)
        return self

    def prepare(self, heatmaps: ArrayLike) -> NDArray[np.floating]:
        """Return the heatmaps as they are compared: checked, sum-pooled and normalised."""
        maps = check_heatmaps(heatmaps)
        maps = maps if self.pooling is None else sum_pool(maps, self.pooling)
        return maps if self.normalisation is None else normalise(maps, self.normalisation)

    def _distances(self, heatmaps: ArrayLike) -> NDArray[np.float64]:
        if self.metric == "precomputed":
            return check_distances(heatmaps)
        maps = self.prepare(heatmaps)
        return euclidean_distances(maps) if self.metric == "euclidean" else check_distances(self.metric(maps))

    def _analyse(self, distances: NDArray[np.float64], random: np.random.RandomState) -> None:
        self.affinity_ = knn_affinity(distances, self.n_neighbors)
        self.variances_ = cloud_variances(principal_coordinates(distances))
        self.eigenvalues_, self.embedding_ = laplacian_spectrum(self.affinity_, self.n_eigenvalues, random)
        self.eigengap_, self.eigengap_size_ = eigengap(self.eigenvalues_)
        self._cluster(random.randint(SEEDS))
        seed = random.randint(SEEDS)
        self.projection_ = None if self.projection is None else project(self.embedding_, self.projection, seed)

    def _cluster(self, seed: int) -> None:
        points = self.embedding_.round(9)  # below it is rounding: rows that are equal shall count once
        most = min(max(2, len(points) // PER_CLUSTER), len(np.unique(points, axis=0)))
        self.n_clusters_ = np.array([k for k in self.n_clusters if k <= most], dtype=np.int64)
        if not len(self.n_clusters_):
            raise ValueError(
                f"n_clusters={self.n_clusters} holds no number up to {most}, the most these heatmaps allow"
            )
        fits = (KMeans(k, n_init=RESTARTS, random_state=seed).fit(points) for k in self.n_clusters_)
        self.labels_ = np.stack([fit.labels_ for fit in fits])
        self.separability_per_k_ = np.array([fisher_separability(self.embedding_, row) for row in self.labels_])
        self.separability_ = float(self.separability_per_k_.mean())

    def _check_parameters(self) -> None:
        if not callable(self.metric) and self.metric not in ("euclidean", "precomputed"):
            raise ValueError(f'metric must be "euclidean", "precomputed" or a callable, got {self.metric!r}')
        if self.normalisation not in (None, "max", "sum"):
            raise ValueError(f'normalisation must be None, "max" or "sum", got {self.normalisation!r}')
        if self.projection not in (None, "umap", "tsne"):
            raise ValueError(f'projection must be None, "umap" or "tsne", got {self.projection!r}')
        if self.metric == "precomputed" and (self.pooling is not None or self.normalisation is not None):
            raise ValueError('pooling and normalisation need heatmaps, but metric="precomputed" takes distances')
        _check_count("n_neighbors", self.n_neighbors, 1)
        _check_count("n_eigenvalues", self.n_eigenvalues, 2)
        for k in self.n_clusters:
            _check_count("n_clusters", k, 2)


def _check_count(name: str, value: Any, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must hold whole numbers from {least} up, got {value!r}")
