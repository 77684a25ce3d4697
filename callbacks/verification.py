"""From the most suspicious classes of an audit to proven artifacts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    raw_images_stand_out,
    state_of,
    write_case,
    write_cases,
    write_effects,
)
from unhans.report.account import STATES
from unhans.report.measures import PROBABILITY
from unhans.spray import ClassAudit, Suspicion

Advance = Callable[[int], None]

FILLS = ("telea",)  # how an artifact is removed
REASON = 100  # characters of a reason in the terminal's line


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


def findings(ranking: Sequence[Suspicion], cases: Mapping[int, Case]) -> str:
    """Say which classes are proven to be recognised by an artifact, and why the others are suspicious only."""
    suspects = [entry for entry in ranking if entry.suspicious]
    proven = [entry for entry in suspects if entry.label in cases and cases[entry.label].proven]
    others = [_suspicious(entry, ranking, cases.get(entry.label)) for entry in suspects if entry not in proven]
    parts = [f"proven: {', '.join(f'{entry.name} ({outcome(cases[entry.label])})' for entry in proven)}"] * bool(proven)
    parts += [f"suspicious: {', '.join(others) or 'none'}"] * bool(others or not proven)
    return "; ".join(parts)


def _suspicious(entry: Suspicion, ranking: Sequence[Suspicion], case: Case | None) -> str:
    said = [f"λ₂ {entry.lambda_2:.3f}"]
    if raw_images_stand_out(entry, ranking):
        said.append("but its raw images stand apart too")
    if case is not None:
        said.append(outcome(case))
    return f"{entry.name} ({', '.join(said)})"


def outcome(case: Case) -> str:
    """Say in a few words what became of a case: its effect with the 95 % interval, or why there is none."""
    state = STATES[state_of(case)]
    if case.proof is None:
        reason = case.trouble if len(case.trouble) <= REASON else f"{case.trouble[:REASON]}…"
        return f"{state}: {reason}".rstrip(".")
    effect = case.proof.added[0].effect
    change = f"Δp {PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)}"
    return change if case.proven else f"{state}: {change}"


def numbers(case: Case) -> dict[str, float]:
    """Return what a logger can plot: whether it is proven, and Δp with its interval where it was measured."""
    found = {"proven": float(case.proven)}
    if case.proof is not None:
        effect = case.proof.added[0].effect
        low, high = effect.probability_interval
        found |= {"delta_p": effect.probability, "delta_p_low": low, "delta_p_high": high}
    return found
