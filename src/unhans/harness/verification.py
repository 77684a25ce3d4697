"""From the groups of a class to proven artifacts, while a model trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.data import carriers_of, has_several, without_class
from unhans.effects import Bench, Candidate, Case, Plan, Sample, examine_class
from unhans.isolation.whole import Family, Numbers, Statistics
from unhans.report.files import AuditPages, write_case, write_cases
from unhans.report.tables import CASE_COLUMNS, case_rows, write_effects
from unhans.spray import ClassAudit, Suspicion

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Suspect:
    """A class of one audit: what SpRAy found in it, how far it stands out, and its images as the network takes them.

    numbers: statistics of the images that are known, by family; what is computed is added.
    """

    audit: ClassAudit
    suspicion: Suspicion
    images: Tensor
    numbers: dict[Family, Numbers] = field(default_factory=dict)


@dataclass(frozen=True)
class Verification:
    """Isolates what the groups of a class share and measures its effect on samples of the audited data set.

    Attributes:
        bench: the network and the data set.
        dataset: the same data set.
        plan: how much may be done for a class.
    """

    bench: Bench
    dataset: Dataset
    plan: Plan

    def cases(self, suspect: Suspect, images: Tensor, advance: Advance = lambda images: None) -> list[Case]:
        """Examine a class; images: (n, 3, H, W) in [0, 1], not read again.

        Raises ValueError where no effect can be measured.
        """
        found = suspect.audit
        numbers = Statistics(images, suspect.numbers)
        sample = Sample(images, found.index, found.heatmaps, found.label, found.name, suspect.suspicion, numbers)
        groups = [Candidate(each.view, each.members) for each in found.candidates]
        several = has_several(self.dataset)
        own = self.bench.against_rest(found.label) if several else self.bench
        bench = remembering(own, images, found.index)
        return examine_class(bench, sample, groups, self.plan, self.others(found.label), advance=advance)

    def others(self, label: int) -> NDArray[np.int64]:
        """Return the samples of other classes, those known to carry a planted artifact left out."""
        others = without_class(self.dataset, self.bench.labels, label)
        return np.flatnonzero(others & ~carriers_of(self.dataset))


def due(ranking: Sequence[int], most: int | None, tested: Mapping[int, int], last: bool) -> list[int]:
    """Return the classes to test after an audit, in this order; the others are not tested this time.

    Half of them, rounded up, are those that stand out most; the rest are those whose last test lies back furthest, so
    that every class has its turn.

    Args:
        ranking: labels of the classes audited now, the one that stands out most first.
        most: how many, at most; None is all.
        tested: by label the epoch of the last test, none where there was none.
        last: whether this is the last audit, after which all are tested.
    """
    if most is None or last or len(ranking) <= most:
        return list(ranking)
    first = list(ranking[: -(-most // 2)])
    waiting = sorted((label for label in ranking if label not in first), key=lambda label: tested.get(label, -1))
    return first + waiting[: most - len(first)]


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
    pages.figures |= {f"audit/{pages.keys[case.label]}/{name}": path for name, path in written.items()}


def add_cases(pages: AuditPages, cases: Sequence[Case]) -> None:
    """Write all numbers of the cases, and have their table logged."""
    if cases:
        write_cases(pages.folder / "cases.json", cases)
        write_effects(pages.folder / "effects.csv", cases)
        pages.tables["audit/cases"] = (CASE_COLUMNS, case_rows(cases))
