"""The isolated artifact beside the planted one, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import Layered, covered, is_whole
from unhans.effects import Bench, Case, Effect, flip_effect, measure
from unhans.effects.interventions import pasted
from unhans.harness.network_bench import Planted
from unhans.isolation import Isolated
from unhans.report.text import change_said, samples_said


@dataclass(frozen=True)
class Known:
    """How an isolated artifact compares with the planted one.

    iou: of the pixels with more than half the largest alpha, mean over the compared samples that carry both, None for
    an isolated artifact that covers the whole image; carriers, found, right: of the samples that it was isolated from,
    how many carry the planted artifact, in how many the isolated one was found, and both;
    effect: of the planted artifact on the samples that the isolated one was pasted on; within: whether the isolated
    one's mean change of probability lies in the interval of the planted one's; None where it was not pasted.
    """

    iou: float | None
    carriers: int
    found: int
    right: int
    effect: Effect | None = None
    within: bool | None = None

    @property
    def sentence(self) -> str:
        """Say it in words."""
        return " ".join(filter(None, (self._where, self._same)))

    @property
    def _where(self) -> str:
        found = (
            "The artifact was planted, so the truth is known: of what it was taken from, the isolated one was found in "
            f"{samples_said(self.found)}, {self.right} of the {self.carriers} with the artifact among them"
        )
        if self.iou is None:
            return f"{found}; it covers the whole image."
        return f"{found}, and covers it with an IoU of {self.iou:.2f}." if self.right else f"{found}."

    @property
    def _same(self) -> str:
        if self.effect is None:
            return ""
        effect = self.effect
        return (
            "The planted artifact itself changes the probability by "
            f"{change_said(effect.probability, effect.probability_interval, 3)} on the same {samples_said(effect.n)}; "
            f"the isolated one's change lies {'inside' if self.within else 'outside'} this interval."
        )


def known(bench: Bench, case: Case, planted: Planted, index: NDArray[np.int64]) -> Known | None:
    """Compare a case with the artifact that was planted in its class; index: (n,) of the samples it was isolated from.

    None where nothing was isolated, or another class carries the planted artifact.
    """
    found = case.isolated
    if found is None or case.label != planted.target:
        return None
    carriers = planted.carriers[index]
    right = carriers & found.members
    iou = None if is_whole(found) else overlap(found, planted, index, np.flatnonzero(right))
    counts = int(carriers.sum()), int(found.members.sum()), int(right.sum())
    if case.proof is None:
        return Known(iou, *counts)
    added = case.proof.added[0]
    effect = pasted_effect(bench, planted, case.label, added.indices)
    low, high = effect.probability_interval
    return Known(iou, *counts, effect, low <= added.effect.probability <= high)


def with_truth(section: str, truth: Known | None) -> str:
    """Return a case's section of the report with what is known about the planted artifact at its end."""
    if truth is None:
        return section
    return with_more(section, f"<h3>Beside the planted artifact</h3><p>{escape(truth.sentence)}</p>")


def with_more(section: str, more: str) -> str:
    """Return a section of the report with more HTML at its end."""
    return f"{section.removesuffix('</section>')}{more}</section>"


def overlap(found: Isolated, planted: Layered, index: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Return the mean IoU of both artifacts' pixels over some rows of the class; NaN without any."""
    return float(np.mean([_iou(found, planted, int(index[row]), row) for row in rows])) if len(rows) else float("nan")


def pasted_effect(bench: Bench, artifact: Layered, label: int, indices: NDArray[np.int64]) -> Effect:
    """Return what an artifact does to samples of other classes; raises ValueError where none can be read."""
    measured = measure(bench, indices, {"artifact": pasted(artifact)}, lambda images: None)
    return flip_effect(measured.before, measured.after["artifact"], label, bench.seed)


def _iou(found: Isolated, planted: Layered, index: int, row: int) -> float:
    mask = found.masks[row]
    ours = covered(found.layers[0][3].numpy()) if found.kind == "fixed" else mask
    truth = covered(planted.layer(index, mask.shape)[3].numpy())
    return float((ours & truth).sum() / max(1, (ours | truth).sum()))
