"""From the most suspicious classes of an audit to proven artifacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts.bench import Bench
from unhans.artifacts.case import Case
from unhans.data import reading
from unhans.report import (
    CASE_COLUMNS,
    AuditPages,
    case_rows,
    write_case,
    write_cases,
    write_effects,
)
from unhans.spray import ClassAudit, Suspicion

Advance = Callable[[int], None]

FILLS = ("telea",)  # how an artifact is removed


@dataclass(frozen=True)
class Suspect:
    """A suspicious class: what SpRAy found in it, why it is suspicious, and its images as the network takes them."""

    audit: ClassAudit
    suspicion: Suspicion
    images: Tensor


@dataclass(frozen=True)
class Verification:
    """Isolates the artifact of a suspicious class and measures its effect on samples of the audited data set.

    bench: the network and the data set; dataset: the same; samples: of other classes to paste on, at most.
    """

    bench: Bench
    dataset: Dataset
    samples: int

    def case(self, suspect: Suspect, images: Tensor, advance: Advance = lambda images: None) -> Case:
        """Examine the striking cluster of a class; images: (n, 3, H, W) in [0, 1], not read again.

        Raises ValueError where no effect can be measured.
        """
        from unhans.artifacts.examine import examine

        found = suspect.audit
        return examine(
            remembering(self.bench, images, found.index),
            images,
            found.index,
            found.heatmaps,
            found.cluster.members,
            found.label,
            found.name,
            suspicion=suspect.suspicion,
            others=self.others(found.label),
            samples=self.samples,
            fills=FILLS,
            advance=advance,
        )

    def others(self, label: int) -> NDArray[np.int64]:
        """Return the samples of other classes, those known to carry a planted artifact left out."""
        labels = self.bench.labels
        return np.flatnonzero((labels >= 0) & (labels != label) & ~reading.carriers_of(self.dataset))

    def work(self, suspect: Suspect) -> int:
        """Return how many images `case` tells its `advance` of."""
        from unhans.artifacts.examine import work

        found = suspect.audit
        return work(self.bench, found.label, found.index, self.others(found.label), None, self.samples, FILLS)


def remembering(bench: Bench, images: Tensor, index: NDArray[np.int64]) -> Bench:
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


def add_pictures(pages: AuditPages, case: Case, images: Tensor, heatmaps: NDArray[np.floating]) -> None:
    """Write the layer and the figures of a case beside the page of its class, and have them logged."""
    written = write_case(pages.folder, case, pages.classes, images.numpy(), heatmaps)
    pages.figures |= {f"audit/{case.name}/{name}": path for name, path in written.items()}


def add_cases(pages: AuditPages, cases: Sequence[Case]) -> None:
    """Write all numbers of the cases, and have their table logged."""
    if cases:
        write_cases(pages.folder / "cases.json", cases)
        write_effects(pages.folder / "effects.csv", cases)
        pages.tables["audit/cases"] = (CASE_COLUMNS, case_rows(cases))
