"""Spectral Relevance Analysis of the heatmaps of one class ([000] §2, Algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from unhans.spray.embedding import METHODS, cluster, fisher_separability
from unhans.spray.euclidean import check_distances
from unhans.spray.metrics import (
    METRICS,
    Advance,
    AnyMetric,
    Euclidean,
    Metric,
    Precomputed,
    check_metric,
    edge_lengths,
    find_neighbours,
)
from unhans.spray.pooling import prepare
from unhans.spray.projection import Projection
from unhans.spray.spectral import (
    APPROXIMATE,
    Symmetrisation,
    check_count,
    eigengap,
    knn_affinity,
    laplacian_spectrum,
    neighbour_count,
)
from unhans.spray.umap_process import UmapProcess

SEEDS = 2**31 - 4  # of what is drawn, less the restarts
PER_CLUSTER = 5  # samples, on average: with fewer, clusters are single samples and τ is a number without meaning
WORDS = {"normalisation": (None, "max", "sum"), "symmetrisation": ("mean", "max"), "edges": ("binary", "distance")}
PLANE = ("umap_neighbors", "umap_min_dist", "tsne_perplexity", "tsne_exaggeration")
LATER = ("symmetrisation", "edges", "projection_of", "tau_directions", *PLANE)  # results without them are known again
DECIMALS = 9  # of Φ: below it is rounding, and rows that are equal shall count once
RESTARTS = 3  # of k-means: τ varies by 2-5 % with the seed; by 5-15 % with one, ten are no steadier


class SpRAy(BaseEstimator):
    """Cluster the heatmaps of one class by spectral analysis of their nearest-neighbour graph ([000] Algorithm 1).

    Args:
        metric: "euclidean", "cosine", "wasserstein", "sliced_wasserstein" or "gromov_wasserstein"; "precomputed" (fit
            takes a distance matrix (n, n)); a callable that turns the prepared heatmaps into one; or a
            `unhans.spray.Metric`.
        n_neighbors: neighbours of each sample in the graph, smaller than n; or "log", ⌈ln n⌉ [003 § 6.2].
        symmetrisation: of the graph, "mean" [000] or "max" [003]: see `unhans.spray.spectral.knn_affinity`.
        edges: "binary", or "distance": they weigh the distance of their ends [003 § 6.2]. Neither this nor
            symmetrisation changes the groups that are proposed for tests (`unhans.spray.groups`): they come from the
            mean of binary edges, for which it was measured what is usual in clean classes.
        n_eigenvalues: q, size of the embedding; at most n are used.
        n_clusters: every k to cluster with.
        clusterings: further clusterings of Φ, of "agglomerative", "dbscan" and "hdbscan".
        pooling: None, or the grid (rows, columns) or grid size onto which relevance is summed.
        smoothing: standard deviation, in pixels, of a Gaussian that heatmaps are smoothed with before pooling; 0: none.
        normalisation: None, "max" or "sum" (of absolute values), per heatmap, after pooling.
        projection: "umap", "tsne" or None.
        projection_of: "spectrum", the rows of Φ [000], or "graph", distances 1 / (A + ε) [003].
        umap_neighbors, umap_min_dist, tsne_perplexity, tsne_exaggeration: of the projection.
        tau_directions: how many of the largest separabilities τ adds up; [000] takes one.
        random_state: seed of the Lanczos start, k-means and the projection: same seed, same result.

    Attributes:
        affinity_: (n, n) sparse, symmetric; of binary edges in {0, ½, 1}.
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
        n_neighbors: int | Literal["log"] = 10,
        symmetrisation: Symmetrisation = "mean",
        edges: Literal["binary", "distance"] = "binary",
        n_eigenvalues: int = 32,
        n_clusters: Iterable[int] = range(2, 31),
        clusterings: Sequence[str] = (),
        pooling: int | tuple[int, int] | None = None,
        smoothing: float = 0.0,
        normalisation: str | None = None,
        projection: str | None = "umap",
        projection_of: Literal["spectrum", "graph"] = "spectrum",
        umap_neighbors: int = 15,
        umap_min_dist: float = 0.1,
        tsne_perplexity: float = 7.0,
        tsne_exaggeration: float = 6.0,
        tau_directions: int = 1,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.symmetrisation = symmetrisation
        self.edges = edges
        self.n_eigenvalues = n_eigenvalues
        self.n_clusters = n_clusters
        self.clusterings = clusterings
        self.pooling = pooling
        self.smoothing = smoothing
        self.normalisation = normalisation
        self.projection = projection
        self.projection_of = projection_of
        self.umap_neighbors = umap_neighbors
        self.umap_min_dist = umap_min_dist
        self.tsne_perplexity = tsne_perplexity
        self.tsne_exaggeration = tsne_exaggeration
        self.tau_directions = tau_directions
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
        neighbours = self.neighbours_among(len(maps))
        check_count(len(maps), neighbours)
        if metric.identical(maps):
            raise ValueError(f"all {len(maps)} heatmaps are identical by this metric: nothing to cluster")
        self.exact_neighbours_ = not isinstance(metric, Euclidean) or len(maps) < APPROXIMATE
        found = find_neighbours(metric, maps, neighbours, advance)
        lengths = edge_lengths(metric, maps, found) if self.edges == "distance" else None
        self.affinity_ = knn_affinity(found, self.symmetrisation, lengths)
        with threadpool_limits(1):  # small tasks: threads would only fight over the cores with the training
            self._analyse(random)
        return self

    def prepare(self, heatmaps: ArrayLike) -> NDArray[np.floating]:
        """Return the heatmaps as they are compared: checked, smoothed, sum-pooled and normalised."""
        return prepare(heatmaps, self.pooling, self.normalisation, self.smoothing)

    def settings(self) -> dict[str, Any]:
        """Return the parameters; those that came later only where they are not as before, when they were not there."""
        plain = type(self)().get_params(deep=False)
        own = self.get_params(deep=False).items()
        return {name: value for name, value in own if name not in LATER or value != plain[name]}

    def neighbours_among(self, n: int) -> int:
        """Return how many neighbours each of n samples gets."""
        return neighbour_count(self.n_neighbors, n)

    def add_projection(self, projection: str | None, umap: UmapProcess | None = None) -> None:
        """Make the 2-D map of a fitted estimator that was fitted without one.

        Args:
            projection: "umap", "tsne" or None.
            umap: a process that has UMAP compiled; None compiles it here.
        """
        self.projection = projection
        seed = self.random_state if isinstance(self.random_state, int) else 0
        self._project(seed, umap)

    def _project(self, seed: int, umap: UmapProcess | None = None) -> None:
        plane = self._plane()
        self.projection_ = None if plane is None else plane.points(self.embedding_, self.affinity_, seed, umap)

    def _plane(self) -> Projection | None:
        """The projection with its settings, which are checked whether there is one or not."""
        settings = {name: getattr(self, name) for name in PLANE}
        plane = Projection("umap" if self.projection is None else self.projection, self.projection_of, **settings)
        return None if self.projection is None else plane

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
        self._project(random.randint(SEEDS))
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
        scores = [fisher_separability(self.embedding_, row, self.tau_directions) for row in self.labels_]
        self.separability_per_k_ = np.array(scores)
        self.separability_ = float(self.separability_per_k_.mean())

    def check_parameters(self) -> None:
        """Raise ValueError for an unusable parameter."""
        check_metric(self.metric)
        for name in self.clusterings:
            if name not in METHODS:
                raise ValueError(f"clusterings must be names among {', '.join(METHODS)}, got {name!r}")
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                said = " or ".join("None" if word is None else f'"{word}"' for word in words)
                raise ValueError(f"{name} must be {said}, got {getattr(self, name)!r}")
        self._plane()
        self._check_preparation()
        if isinstance(self.n_clusters, Iterator) or not isinstance(self.n_clusters, Iterable):
            raise ValueError(f"n_clusters must be a list, a range or an array, got {self.n_clusters!r}")
        numbers = [("n_neighbors", self.neighbours_among(2), 1), ("n_eigenvalues", self.n_eigenvalues, 2)]
        numbers += [("tau_directions", self.tau_directions, 1)]
        for name, value, least in [*numbers, *(("n_clusters", k, 2) for k in self.n_clusters)]:
            if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must hold whole numbers from {least} up, got {value!r}")

    def _check_preparation(self) -> None:
        """Raise ValueError for an unusable parameter of what happens to heatmaps before they are compared."""
        grid = () if self.pooling is None else self.pooling
        cells = grid if isinstance(grid, list | tuple) else [grid]
        if not all(isinstance(each, Integral) and not isinstance(each, bool) and each >= 1 for each in cells):
            raise ValueError(f"pooling must be the size of a grid, 1 or more, got {self.pooling!r}")
        smoothing = self.smoothing
        if not isinstance(smoothing, Real) or isinstance(smoothing, bool) or not 0 <= smoothing < math.inf:
            raise ValueError(f"smoothing must be a number of pixels, 0 or more, got {smoothing!r}")
        prepared = self.pooling is not None or self.normalisation is not None or smoothing
        if self.metric == "precomputed" and prepared:
            raise ValueError(
                'pooling, smoothing and normalisation need heatmaps, but metric="precomputed" takes distances'
            )


def _best_of(points: NDArray[np.floating], starts: Sequence[NDArray[np.floating]]) -> NDArray[np.integer]:
    """Labels of the best k-means from several starts (k, q); the first k seeds of k-means++ are those of k clusters."""
    fits = [KMeans(len(start), init=start, n_init=1).fit(points) for start in starts]
    return min(fits, key=lambda fit: fit.inertia_).labels_
