"""A class in an audit: its samples, what follows from its images alone, and its groups tested."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.class_names import labels_named
from unhans.data import carriers_of, draw_per_class, has_several, once, without_class
from unhans.effects import Bench, Candidate, Case, Plan, Sample, examine_class
from unhans.isolation.whole import Family, Numbers, Statistics
from unhans.spray import ClassAudit, SpRAy, Suspicion, neighbour_count
from unhans.spray.groups import Group, ImageDescriptors, image_groups

LOG = logging.getLogger("unhans")


def draw_audit_samples(
    labels: NDArray[np.int64],
    classes: Mapping[int, str],
    chosen: Sequence[str] | None,
    samples_per_class: int | None,
    n_neighbors: int | str,
    seed: int,
) -> dict[int, NDArray[np.int64]]:
    """Draw the samples (n,) of every class to audit, by label; classes too small for SpRAy are left out with a warning.

    Args:
        labels: (N,) of the data set.
        classes: names by label.
        chosen: names of the classes to audit; None for all.
        samples_per_class: at most; None for all.
        n_neighbors: of SpRAy, which needs more samples than that; or "log".
        seed: of the draw.

    Raises:
        ValueError: a name is unknown, or no class is large enough.
    """
    large, wanted = {}, labels_named(chosen, classes, "SpRAyAudit: classes")
    for label, index in draw_per_class(labels, samples_per_class, seed).items():
        if label not in wanted:
            continue
        if len(index) > neighbour_count(n_neighbors, len(index)):
            large[label] = index
        else:
            LOG.warning(
                "class %r has %d samples to audit; SpRAy expects more than n_neighbors=%s, so it is left out.",
                classes[label], len(index), n_neighbors,
            )  # fmt: skip
    if not large:
        raise ValueError(f"SpRAyAudit needs a class with more than n_neighbors={n_neighbors} samples, there is none.")
    return large


@dataclass(frozen=True)
class ImageFindings:
    """What follows from the images of a class alone, and stays the same from audit to audit.

    Attributes:
        checksum: of the images.
        groups: groups of them that stand apart.
        control: SpRAy on the raw images, where it is wanted.
        numbers: statistics of the images by family, filled when they are asked for.
    """

    checksum: int
    groups: list[Group]
    control: SpRAy | None
    numbers: dict[Family, Numbers] = field(default_factory=dict)


class ImageComparison:
    """Compares the images of each class with those of the others, once as long as they stay the same.

    Args:
        images: (m, 3, H, W) in [0, 1] of all classes.
        labels: (m,) of them.
    """

    def __init__(self, images: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
        self._described, self._labels = ImageDescriptors.of(images), labels
        self._found: dict[int, ImageFindings] = {}

    def find(
        self, label: int, images: NDArray[np.floating], control: Callable[[], SpRAy | None] = lambda: None
    ) -> ImageFindings:
        """Return what follows from the images (n, 3, H, W) of a class; control: clusters the raw images."""
        checksum = zlib.crc32(np.ascontiguousarray(images))
        if label not in self._found or self._found[label].checksum != checksum:
            groups = image_groups(images, self._described[self._labels != label])
            self._found[label] = ImageFindings(checksum, groups, control())
        return self._found[label]


@dataclass(frozen=True)
class AuditedClass:
    """A class in one audit.

    Attributes:
        audit: what SpRAy found in it.
        suspicion: how far it stands out.
        images: (n, C, H, W) as the network takes them.
        numbers: statistics of the images that are known, by family; what is computed is added.
    """

    audit: ClassAudit
    suspicion: Suspicion
    images: Tensor
    numbers: dict[Family, Numbers] = field(default_factory=dict)


def find_cases(audited: AuditedClass, images: Tensor, bench: Bench, dataset: Dataset, plan: Plan) -> list[Case]:
    """Isolate what the groups of a class share and measure its effect on samples of other classes.

    Args:
        audited: the class.
        images: (n, 3, H, W) its images in [0, 1], which are not read again.
        bench: the network and the audited data set.
        dataset: the same data set; samples known to carry a planted artifact are left out.
        plan: how much may be done.

    Raises:
        ValueError: no effect can be measured.
    """
    found = audited.audit
    statistics = Statistics(images, audited.numbers)
    sample = Sample(images, found.index, found.heatmaps, found.label, found.name, audited.suspicion, statistics)
    groups = [Candidate(each.view, each.members) for each in found.candidates]
    own = bench.against_rest(found.label) if has_several(dataset) else bench
    others = once(dataset, np.flatnonzero(without_class(dataset, bench.labels, found.label) & ~carriers_of(dataset)))
    return examine_class(remember_images(own, images, found.index), sample, groups, plan, others)


def remember_images(bench: Bench, images: Tensor, index: NDArray[np.int64]) -> Bench:
    """Return a bench that takes these samples from memory and reads only the others."""
    rows = {int(sample): row for row, sample in enumerate(index)}

    def read(indices: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        missing = [int(i) for i in indices if int(i) not in rows]
        more, kept = bench.read(np.array(missing, dtype=np.int64)) if missing else (images[:0], np.array([], dtype=int))
        fresh = {int(i): image for i, image in zip(kept, more, strict=True)}
        found = [int(i) for i in indices if int(i) in rows or int(i) in fresh]
        tiles = [images[rows[i]] if i in rows else fresh[i] for i in found]
        return (torch.stack(tiles) if tiles else images[:0]), np.array(found, dtype=np.int64)

    return replace(bench, read=read)
