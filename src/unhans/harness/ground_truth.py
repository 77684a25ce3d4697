"""The isolated artifact beside the planted one, where the truth is known."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import Layered, covered, is_whole
from unhans.effects import Bench, Case, Effect, Known, flip_effect, measure
from unhans.effects.interventions import pasted
from unhans.harness.network_bench import Planted
from unhans.isolation import Isolated
from unhans.report.text import truth_sentence


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
    return with_more(section, f"<h3>Beside the planted artifact</h3><p>{escape(truth_sentence(truth))}</p>")


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
