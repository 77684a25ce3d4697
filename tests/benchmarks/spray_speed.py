"""SpRAy of one class against the same steps of CoRelAy, in one run, and how it grows with the size of a class.

    uv run --extra rivals python tests/benchmarks/spray_speed.py
    uv run python tests/benchmarks/spray_speed.py --growth 20000 100000

Maps of 224 × 224 → distances → graph → 32 eigenvalues → k-means for k = 2 … 30 → 2-D map. Ours also finds τ. CoRelAy is
told what to do where its defaults are wrong (the largest algebraic eigenvalues) or its work would differ (rows of Φ
left alone, euclidean UMAP, the same seeds); both compile UMAP untimed.
The ratio is the median over rounds of the ratio within a round: what slows the machine slows both alike.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from unhans.spray import SpRAy
from unhans.spray.spray import RESTARTS

GOAL = 4.0  # times faster than CoRelAy
CLUSTERS = range(2, 31)
PLANTED = 4

Found = tuple[NDArray[np.float64], NDArray[np.int64]]  # eigenvalues (32,), k-means labels (29, n)


def heatmaps(n: int, side: int, clusters: int = 1, seed: int = 0) -> NDArray[np.float32]:
    """Return smooth random heatmaps (n, side, side) of so many clusters."""
    rng = np.random.default_rng(seed)
    centres = rng.gamma(1.0, size=(clusters, 7, 7))
    maps = np.empty((n, side, side), dtype=np.float32)
    for i in range(n):
        coarse = centres[i % clusters] + 0.8 * rng.gamma(1.0, size=(7, 7))
        maps[i] = np.kron(coarse, np.ones((side // 7,) * 2)) + 0.3 * rng.normal(size=(side, side))
    return maps


class Seeded(SpRAy):
    """SpRAy that remembers its seed of k-means, for the other side to draw the same."""

    def _cluster(self, seed: int) -> None:
        self.seed = seed
        super()._cluster(seed)


def ours(maps: NDArray[np.float32]) -> Seeded:
    """Return what SpRAy finds."""
    return Seeded(n_clusters=CLUSTERS).fit(maps)


def theirs(maps: NDArray[np.float32], seed: int) -> Found:
    """Return what CoRelAy finds."""
    from corelay.processor.affinity import SparseKNN
    from corelay.processor.clustering import KMeans
    from corelay.processor.distance import SciPyPDist
    from corelay.processor.embedding import EigenDecomposition, UMAPEmbedding
    from corelay.processor.laplacian import SymmetricNormalLaplacian

    distances = SciPyPDist(metric="euclidean")(maps.reshape(len(maps), -1))
    laplacian = SymmetricNormalLaplacian()(SparseKNN(n_neighbors=10)(distances))
    values, vectors = EigenDecomposition(n_eigval=32, which="LA", normalize=False)(laplacian)
    options = {"n_init": RESTARTS, "random_state": seed}
    labels = np.stack([KMeans(n_clusters=k, kwargs=options)(vectors) for k in CLUSTERS])
    UMAPEmbedding(metric="euclidean", kwargs={"init": "pca", "random_state": 0, "n_jobs": 1})(vectors)
    return np.sort(values), labels


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Return how long a call takes, and what it returns."""
    began = time.perf_counter()
    found = work(*arguments)
    return time.perf_counter() - began, found


def compare(n: int, side: int, repeats: int) -> None:
    """Print the table of both."""
    maps = heatmaps(n, side, PLANTED)
    theirs(maps[:60, ::4, ::4], ours(maps[:60, ::4, ::4]).seed)  # compiles UMAP
    times = []
    for _ in range(repeats):
        first, spray = timed(ours, maps)
        second, (values, labels) = timed(theirs, maps, spray.seed)
        times.append((first, second))
    root = 1 / np.sqrt(spray.affinity_.sum(axis=1))
    dense = 1 - np.linalg.eigvalsh(spray.affinity_.toarray() * np.outer(root, root))[::-1][:32]
    row = CLUSTERS.index(max(2, spray.eigengap_))
    ratio = statistics.median(second / first for first, second in times)
    seconds = [statistics.median(column) for column in zip(*times, strict=True)]
    print("| n | side | ours, s | CoRelAy, s | × faster (goal) | eigengap | off CoRelAy's λ, dense λ | adjusted Rand |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print(
        f"| {n} | {side} | {seconds[0]:.1f} | {seconds[1]:.1f} | {ratio:.2f} (≥ {GOAL}) | {spray.eigengap_} "
        f"| {np.abs(spray.eigenvalues_ - values).max():.0e}, {np.abs(spray.eigenvalues_ - dense).max():.0e} "
        f"| {adjusted_rand_score(spray.labels_[row], labels[row]):.3f} |"
    )


def grow(n: int, projection: str | None) -> None:
    """Print a row of the table of growth, in a process of its own."""
    from unhans.spray.spectral.knn_graph import approximate_neighbours

    maps = heatmaps(n, 28)
    SpRAy(projection=projection).fit(maps[:5000])
    approximate_neighbours(maps[:500], 10)  # compiles the descent
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fit, _ = timed(SpRAy(projection=projection).fit, maps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"| {n} | {fit:.0f} | {before / 2**20:.2f} | {peak / 2**20:.2f} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1300)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--growth", type=int, nargs="*")
    parser.add_argument("--no-projection", action="store_true")
    options = parser.parse_args()
    if options.growth is None:
        compare(options.samples, options.side, options.repeats)
        return
    print("| n (28 × 28) | fit, s | GB before | GB at most |")
    print("| --- | --- | --- | --- |", flush=True)
    for n in options.growth:
        one = multiprocessing.get_context("spawn").Process(
            target=grow, args=(n, None if options.no_projection else "umap")
        )
        one.start()
        one.join()


if __name__ == "__main__":
    main()
