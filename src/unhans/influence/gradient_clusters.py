"""SpRAy on gradients of samples: do images of one class teach the network different things?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from unhans.influence.gradient_cosine import coordinates, cosines
from unhans.spray import SpRAy


@dataclass(frozen=True)
class GradientClusters:
    """Two clusters of samples by the gradients of the last layers.

    Attributes:
        layers: those whose gradients count, from the output on.
        labels: cluster of each sample, 0 or 1, (n,).
        counts: rows are clusters, columns samples with and without the artifact (2, 2); None where it is not known.
        precision: share of carriers in the cluster that holds more of them, relative to its size.
        recall: share of the carriers that lie in that cluster.
        adjusted_rand: agreement of clusters and carriers: 1 is equality, 0 chance.
    """

    layers: tuple[str, ...]
    labels: NDArray[np.int64]
    counts: NDArray[np.int64] | None = None
    precision: float = float("nan")
    recall: float = float("nan")
    adjusted_rand: float = float("nan")


def prefixes(layers: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the last layer, the last two, and so on, each from the output on.

    >>> prefixes(["layer3", "layer4", "fc"])
    [('fc',), ('fc', 'layer4'), ('fc', 'layer4', 'layer3')]
    """
    backwards = tuple(reversed(layers))
    return [backwards[: count + 1] for count in range(len(backwards))]


def two_clusters(cosine: Tensor, spray: SpRAy) -> NDArray[np.int64]:
    """Cluster samples into two by the cosines (n, n) of their gradients; return the cluster of each (n,).

    Args:
        cosine: symmetric, float64.
        spray: how; it finds two clusters by two eigenvectors, and its metric, pooling and projection are not used.

    Raises:
        ValueError: fewer samples than neighbours, or gradients that are all equal.
    """
    plain = {"metric": "euclidean", "pooling": None, "smoothing": 0.0, "normalisation": None, "projection": None}
    settings = spray.get_params() | plain | {"n_clusters": (2,), "n_eigenvalues": 2}
    return SpRAy(**settings).fit(coordinates(cosine).numpy()).labels_[0].astype(np.int64)


def cluster_gradients(
    grams: Mapping[str, Tensor], spray: SpRAy, carriers: ArrayLike | None = None
) -> list[GradientClusters]:
    """Cluster samples into two by their gradients, for every prefix of layers.

    Args:
        grams: dot products of all samples by layer, from input to output; see `GradientCosine.gram`.
        spray: how, see `two_clusters`.
        carriers: which samples carry an artifact (n,); None where nobody knows.

    Raises:
        ValueError: fewer samples than neighbours, or gradients that are all equal.
    """
    found = []
    for layers in prefixes(list(grams)):
        labels = two_clusters(cosines(grams[layer] for layer in layers), spray)
        found.append(GradientClusters(layers, labels, **(_measures(labels, carriers) if carriers is not None else {})))
    return found


def _measures(labels: NDArray[np.int64], carriers: ArrayLike) -> dict:
    """Hold clusters against what is known; the cluster with the larger share of carriers is theirs."""
    carriers = np.asarray(carriers, bool)
    counts = np.array([[(carriers & (labels == c)).sum(), (~carriers & (labels == c)).sum()] for c in (0, 1)])
    own = counts[np.argmax(counts[:, 0] / counts.sum(1).clip(min=1))]
    return {
        "counts": counts,
        "precision": float(own[0] / max(1, own.sum())),
        "recall": float(own[0] / max(1, carriers.sum())),
        "adjusted_rand": float(adjusted_rand_score(carriers, labels)),
    }
