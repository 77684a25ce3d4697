"""UMAP of a spectral embedding, here or in a process of its own.

UMAP is compiled anew by every process that uses it, which takes longer than many an audit. `UmapProcess` compiles it
beside the training, on another core, and answers with the same points as `umap_points`. The process runs this file and
so imports nothing else of the package.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import warnings
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

EXACT = 4096  # samples from which on UMAP searches neighbours by descent
APART = {"PYTHONSAFEPATH": "1"}  # a script's modules are not those of its own folder

Points = NDArray[np.float64]


def umap_points(
    embedding: NDArray[np.floating],
    seed: int,
    near: int = 15,
    min_dist: float = 0.1,
    known: Any = (None, None),
) -> Points:
    """Return the rows of an embedding (n, q) as points in the plane (n, 2) by UMAP.

    Args:
        embedding: its points.
        seed: of UMAP.
        near: neighbours that UMAP looks at, the sample itself included; at most n − 1.
        min_dist: of points in the plane, at least.
        known: indices and distances (n, near) of these neighbours where they are not those in the embedding.
    """
    from umap import UMAP

    near = min(near, len(embedding) - 1)
    if known[0] is None and len(embedding) < EXACT:  # as UMAP finds them in so few; its search takes 8 s to compile
        search = NearestNeighbors(n_neighbors=near, algorithm="brute").fit(embedding)
        known = search.kneighbors(embedding)[::-1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)  # needed for new samples only
        # A seed needs one job, and the PCA start needs no connected graph: UMAP warns about both otherwise.
        options = {"n_neighbors": near, "min_dist": min_dist, "init": "pca", "n_jobs": 1, "random_state": seed}
        reducer = UMAP(**options, precomputed_knn=known)
        return np.asarray(reducer.fit_transform(embedding), dtype=np.float64)


class UmapProcess:
    """A process that compiles UMAP as soon as it is made, and answers calls in the place of `umap_points`.

    It ends with `close`, or when this process does. Where it cannot be started or dies, points are found here.
    """

    def __init__(self) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self._process = subprocess.Popen([sys.executable, __file__], env=os.environ | APART, **pipes)

    def __call__(self, embedding: NDArray[np.floating], seed: int, **settings: Any) -> Points:
        """Return the points (n, 2) of an embedding (n, q); settings: of `umap_points`."""
        if self._process is not None:
            try:
                pickle.dump((embedding, seed, settings), self._process.stdin)  # type: ignore[arg-type]
                self._process.stdin.flush()  # type: ignore[union-attr]
                return pickle.load(self._process.stdout)  # type: ignore[arg-type]
            except (OSError, EOFError, pickle.UnpicklingError):
                self.close()
        return umap_points(embedding, seed, **settings)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer pickled (embedding, seed, settings) with pickled points until there are no more requests."""
    umap_points(np.random.default_rng(0).random((30, 8)), 0)  # compiled before the first request comes
    while True:
        try:
            embedding, seed, settings = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(umap_points(embedding, seed, **settings), answers)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the training
    serve(sys.stdin.buffer, sys.stdout.buffer)
