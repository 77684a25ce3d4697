"""A class as a survey stored it: images, heatmaps and clusters, ready to take an artifact out of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.data import Union
from unhans.experiment.survey import Survey
from unhans.spray import Suspicion
from unhans.store import load_analysis, open_maps

MOST = 400  # samples of a cluster, and of the rest of its class, that an artifact is isolated from


@dataclass(frozen=True)
class Clustered:
    """Samples of one class with one of its clusters.

    images: (n, 3, H, W) in [0, 1]; index: (n,) in training and validation images together; heatmaps: (n, H, W);
    members: (n,) of the cluster; suspicion: of the class; whole, cluster: indices of all clustered samples of the class
    and of the cluster, of which the n may be a part.
    """

    images: Tensor
    index: NDArray[np.int64]
    heatmaps: NDArray[np.float32]
    members: NDArray[np.bool_]
    suspicion: Suspicion
    whole: NDArray[np.int64]
    cluster: NDArray[np.int64]


def clustered(
    survey: Survey, label: int, rank: int, both: Union, seed: int, listed: frozenset[str] = frozenset()
) -> Clustered | None:
    """Read a class of a finished survey with its rank-th most striking cluster, from 0; None where it has none.

    At most 400 samples of the cluster and 400 others are drawn by the seed. both: what the indices count in. listed:
    paths of samples that take the cluster's place.
    """
    files = survey.files(label)
    audit, suspicion = load_analysis(files)
    stored = open_maps(files)
    split = np.ones(len(stored), dtype=np.int64) if survey.split == "val" else stored.split.astype(np.int64)
    index = stored.index + split * len(both.parts[0])
    if listed:
        members = np.array([both.paths[i] in listed for i in index], dtype=bool)
    elif rank < len(audit.clusters):
        members = audit.clusters[rank].members
    else:
        return None
    rows = _drawn(members, seed)
    images = torch.from_numpy(stored.images[rows]).float() / 255
    return Clustered(images, index[rows], stored.maps[rows], members[rows], suspicion, index, index[members])


def _drawn(members: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng([seed, len(members)])
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(part))[:MOST] for part in (members, ~members)]))
