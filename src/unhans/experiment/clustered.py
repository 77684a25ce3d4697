"""A class as a survey stored it: images, heatmaps and groups, ready to take artifacts out of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.examine_class import Candidate, Sample
from unhans.data import Union
from unhans.experiment.survey import Survey
from unhans.spray import Suspicion
from unhans.store import load_analysis, open_maps

MOST = 800  # samples of a class that artifacts are isolated from; half of them, where there are more, are of groups
LISTED = "listed samples"
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Clustered:
    """Samples of one class with the groups of them that may share an artifact.

    Attributes:
        images: (n, 3, H, W) in [0, 1].
        index: (n,) in training and validation images together.
        heatmaps: (n, H, W).
        candidates: groups, the most promising first, with members (n,).
        suspicion: of the class.
        clustered: (N,) indices of all samples among which the groups were found; None: of the images.
    """

    images: Tensor
    index: NDArray[np.int64]
    heatmaps: NDArray[np.float32]
    candidates: tuple[Candidate, ...]
    suspicion: Suspicion
    clustered: NDArray[np.int64] | None = None

    @property
    def sample(self) -> Sample:
        """The class as an examination sees it."""
        entry = self.suspicion
        known = {"suspicion": entry, "clustered": self.clustered}
        return Sample(self.images, self.index, self.heatmaps, entry.label, entry.name, **known)


def clustered(
    survey: Survey,
    entry: Suspicion,
    most: int,
    both: Union,
    seed: int,
    listed: frozenset[tuple[str, str]] = frozenset(),
) -> Clustered:
    """Read a class of a finished survey with its first groups; no sample is read where there are none.

    Args:
        survey: finished.
        entry: the class, scored among all.
        most: groups.
        both: what the indices count in.
        seed: draws at most 800 samples.
        listed: samples, by path and split, that take the place of the groups.
    """
    files = survey.files(entry.label)
    audit, _ = load_analysis(files)
    stored = open_maps(files)
    split = np.ones(len(stored), dtype=np.int64) if survey.split == "val" else stored.split.astype(np.int64)
    index = stored.index + split * len(both.parts[0])
    found = [Candidate(each.view, each.members) for each in audit.candidates[:most]]
    if listed:
        found = [Candidate(LISTED, np.array([(both.paths[i], SPLITS[both.split[i]]) in listed for i in index]))]
    rows = drawn_rows([each.members for each in found], seed)
    images = torch.from_numpy(stored.images[rows]).float() / 255
    candidates = tuple(Candidate(each.view, each.members[rows], index[each.members]) for each in found)
    return Clustered(images, index[rows], stored.maps[rows], candidates, entry, index)


def drawn_rows(groups: Sequence[NDArray[np.bool_]], seed: int) -> NDArray[np.int64]:
    """Draw at most 800 of n rows, sorted: as many of each group (n,), half of all in sum, then any.

    A class that is not larger is taken as it is; without groups nothing is.
    """
    if not groups:
        return np.array([], dtype=np.int64)
    order = np.random.default_rng([seed, len(groups[0])]).permutation(len(groups[0]))
    first = [order[members[order]][: MOST // (2 * len(groups))] for members in groups]
    return np.sort(list(dict.fromkeys(np.concatenate([*first, order]).tolist()))[:MOST])
