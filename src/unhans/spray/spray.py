"""Spectral Relevance Analysis of the heatmaps of one class ([000] §2, Algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from unhans.spray.embedding import METHODS, cluster, fisher_separability, project
from unhans.spray.euclidean import check_distances
from unhans.spray.metrics import (
    METRICS,
    Advance,
    AnyMetric,
    Euclidean,
    Metric,
    Precomputed,
    check_metric,
    find_neighbours,
)
from unhans.spray.pooling import prepare
from unhans.spray.spectral import APPROXIMATE, check_count, eigengap, knn_affinity, laplacian_spectrum
from unhans.spray.umap_process import UmapProcess

SEEDS = 2**31 - 4  # of what is drawn, less the restarts
PER_CLUSTER = 5  # samples, on average: with fewer, clusters are single samples and τ is a number without meaning
DECIMALS = 9  # of Φ: below it is rounding, and rows that are equal shall count once
RESTARTS = 3  # of k-means: τ varies by 2-5 % with the seed; by 5-15 % with one, ten are no steadier


class SpRAy(BaseEstimator):
    """Cluster the heatmaps of one class by spectral analysis of their nearest-neighbour graph ([000] Algorithm 1).

    Args:
        metric: "euclidean", "cosine", "wasserstein" or "gromov_wasserstein"; "precomputed" (fit takes a distance matrix
            (n, n)); a callable that turns the prepared heatmaps into one; or a `unhans.spray.Metric`.
        n_neighbors: neighbours of each sample in the graph; must be smaller than n.
        n_eigenvalues: q, size of the embedding; at most n are used.
        n_clusters: every k to cluster with.
        clusterings: further clusterings of Φ, of "agglomerative", "dbscan" and "hdbscan".
        pooling: None, or the grid (rows, columns) or grid size onto which relevance is summed.
        smoothing: standard deviation, in pixels, of a Gaussian that heatmaps are smoothed with before pooling; 0: none.
        normalisation: None, "max" or "sum" (of absolute values), per heatmap, after pooling.
        projection: "umap", "tsne" or None.
        random_state: seed of the Lanczos start, k-means and the projection: same seed, same result.

    Attributes:
        affinity_: (n, n) sparse, symmetric, in {0, ½, 1}.
        exact_neighbours_: whether its neighbours are the nearest by the metric, not those found by descent.
        eigenvalues_, embedding_: (q,) ascending in [0, 2] and Φ (n, q), of L_sym; where the graph is in c pieces the
            first c columns of Φ are their indicators, the largest piece first.
        eigengap_, eigengap_size_: eigenvalues before the largest gap (suggested number of clusters), and that gap.
        n_clusters_: (K,) the k that were used: those up to n / 5, and to the number of distinct rows of Φ.
        labels_: (K, n), row i is the k-means clustering of Φ into n_clusters_[i].
        clusterings_: by name, the labels (n,) of each of the further clusterings, −1 for noise.
        separability_per_k_, separability_: (K,) Fisher criteria ([000] eq. 8) and τ, their mean.
        projection_: (n, 2) map of Φ, or None.

    What ends in an underscore is known after `fit`. Nothing of size n × n is held beyond 2,048 heatmaps, unless the
    metric is a matrix or a function. Memory is that of the prepared heatmaps (n · d values of 4 or 8 bytes), 32 · n · q
    bytes for the work on Φ, and about 0.5 GB for blocks. From 20,000 heatmaps on neighbours are searched by descent
    (`unhans.spray.spectral.knn_graph`) and k-means starts once instead of three times.
    """

    def __init__(
        self,
        *,
        metric: AnyMetric = "euclidean",
        n_neighbors: int = 10,
        n_eigenvalues: int = 32,
        n_clusters: Iterable[int] = range(2, 31),
        clusterings: Sequence[str] = (),
        pooling: int | tuple[int, int] | None = None,
        smoothing: float = 0.0,
        normalisation: str | None = None,
        projection: str | None = "umap",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.n_eigenvalues = n_eigenvalues
        self.n_clusters = n_clusters
        self.clusterings = clusterings
        self.pooling = pooling
        self.smoothing = smoothing
        self.normalisation = normalisation
        self.projection = projection
        self.random_state = random_state

    def fit(self, heatmaps: ArrayLike, y: Any = None, advance: Advance | None = None) -> SpRAy:
        """Analyse the heatmaps of a class.

        Args:
            heatmaps: (n, H, W) or (n, d), or distances (n, n) with metric="precomputed".
            y: ignored.
            advance: called by slow metrics (Wasserstein, Gromov-Wasserstein) with the work done and that now expected.

        Returns:
            The fitted estimator.

        Raises:
            ValueError: an unusable parameter, n ≤ n_neighbors, values that are not finite, or heatmaps that are all
                identical up to rounding, as they are compared: multiples of one heatmap are, where it is scaled first.
        """
        self.check_parameters()
        random = check_random_state(self.random_state)
        metric, maps = self._compared(heatmaps)
        check_count(len(maps), self.n_neighbors)
        if metric.identical(maps):
            raise ValueError(f"all {len(maps)} heatmaps are identical by this metric: nothing to cluster")
        self.exact_neighbours_ = not isinstance(metric, Euclidean) or len(maps) < APPROXIMATE
        self.affinity_ = knn_affinity(find_neighbours(metric, maps, self.n_neighbors, advance))
        with threadpool_limits(1):  # small tasks: threads would only fight over the cores with the training
            self._analyse(random)
        return self

    def prepare(self, heatmaps: ArrayLike) -> NDArray[np.floating]:
        """Return the heatmaps as they are compared: checked, smoothed, sum-pooled and normalised."""
        return prepare(heatmaps, self.pooling, self.normalisation, self.smoothing)

    def add_projection(self, projection: str | None, umap: UmapProcess | None = None) -> None:
        """Make the 2-D map of a fitted estimator that was fitted without one.

        Args:
            projection: "umap", "tsne" or None.
            umap: a process that has UMAP compiled; None compiles it here.
        """
        self.projection = projection
        seed = self.random_state if isinstance(self.random_state, int) else 0
        self.projection_ = None if projection is None else project(self.embedding_, projection, seed, umap)

    def _compared(self, heatmaps: ArrayLike) -> tuple[Metric, NDArray[np.floating]]:
        """The metric, and what it compares: the prepared heatmaps, or a matrix of their distances."""
        metric = METRICS[self.metric]() if isinstance(self.metric, str) else self.metric
        if isinstance(metric, Precomputed):
            return metric, check_distances(heatmaps)
        maps = self.prepare(heatmaps)
        return (metric, maps) if isinstance(metric, Metric) else (Precomputed(), check_distances(metric(maps)))

    def _analyse(self, random: np.random.RandomState) -> None:
        self.eigenvalues_, self.embedding_ = laplacian_spectrum(self.affinity_, self.n_eigenvalues, random)
        self.eigengap_, self.eigengap_size_ = eigengap(self.eigenvalues_)
        self._cluster(random.randint(SEEDS))
        seed = random.randint(SEEDS)
        self.projection_ = None if self.projection is None else project(self.embedding_, self.projection, seed)
        points, seed = self.embedding_.round(DECIMALS), random.randint(SEEDS)
        suggested = max(2, self.eigengap_)
        self.clusterings_ = {name: cluster(points, name, suggested, seed) for name in self.clusterings}

    def _cluster(self, seed: int) -> None:
        points = self.embedding_.round(DECIMALS)
        most = min(max(2, len(points) // PER_CLUSTER), len(np.unique(points, axis=0)))
        self.n_clusters_ = np.array([k for k in self.n_clusters if k <= most], dtype=np.int64)
        if not len(self.n_clusters_):
            raise ValueError(
                f"n_clusters={self.n_clusters} holds no number up to {most}, the most these heatmaps allow"
            )
        restarts = RESTARTS if len(points) < APPROXIMATE else 1
        seeds = [seed + number for number in range(restarts)]
        starts = [kmeans_plusplus(points, self.n_clusters_.max(), random_state=one)[0] for one in seeds]
        self.labels_ = np.stack([_best_of(points, [start[:k] for start in starts]) for k in self.n_clusters_])
        self.separability_per_k_ = np.array([fisher_separability(self.embedding_, row) for row in self.labels_])
        self.separability_ = float(self.separability_per_k_.mean())

    def check_parameters(self) -> None:
        """Raise ValueError for an unusable parameter."""
        check_metric(self.metric)
        for name in self.clusterings:
            if name not in METHODS:
                raise ValueError(f"clusterings must be names among {', '.join(METHODS)}, got {name!r}")
        for name, (one, other) in {"normalisation": ("max", "sum"), "projection": ("umap", "tsne")}.items():
            if getattr(self, name) not in (None, one, other):
                raise ValueError(f'{name} must be None, "{one}" or "{other}", got {getattr(self, name)!r}')
        smoothing = self.smoothing
        if not isinstance(smoothing, Real) or isinstance(smoothing, bool) or not 0 <= smoothing < math.inf:
            raise ValueError(f"smoothing must be a number of pixels, 0 or more, got {smoothing!r}")
        prepared = self.pooling is not None or self.normalisation is not None or smoothing
        if self.metric == "precomputed" and prepared:
            raise ValueError(
                'pooling, smoothing and normalisation need heatmaps, but metric="precomputed" takes distances'
            )
        if isinstance(self.n_clusters, Iterator) or not isinstance(self.n_clusters, Iterable):
            raise ValueError(f"n_clusters must be a list, a range or an array, got {self.n_clusters!r}")
        numbers = [("n_neighbors", self.n_neighbors, 1), ("n_eigenvalues", self.n_eigenvalues, 2)]
        for name, value, least in [*numbers, *(("n_clusters", k, 2) for k in self.n_clusters)]:
            if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must hold whole numbers from {least} up, got {value!r}")


def _best_of(points: NDArray[np.floating], starts: Sequence[NDArray[np.floating]]) -> NDArray[np.integer]:
    """Labels of the best k-means from several starts (k, q); the first k seeds of k-means++ are those of k clusters."""
    fits = [KMeans(len(start), init=start, n_init=1).fit(points) for start in starts]
    return min(fits, key=lambda fit: fit.inertia_).labels_
