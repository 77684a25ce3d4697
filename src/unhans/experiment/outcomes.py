"""What a repair led to: one network, assessed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unhans.artifacts.assessment import Assessment

Method = Literal["uncorrected", "unaltered", "augmented", "a_clarc", "p_clarc", "reactive", "right_reasons"]

METHODS: dict[Method, str] = {
    "uncorrected": "as it was",
    "unaltered": "fine-tuned on unaltered data (A)",
    "augmented": "fine-tuned with the artifact on all images (B)",
    "a_clarc": "A-ClArC",
    "p_clarc": "P-ClArC",
    "reactive": "reactive P-ClArC",
    "right_reasons": "right for the right reasons",
}


@dataclass(frozen=True)
class Point:
    """One epoch of a fine-tuning; epoch 0 is before it.

    relevance: mean share of positive relevance inside the artifact's mask on fixed samples that carry it, None where it
    was not measured; clean, added: accuracy on the validation images without and with the artifact on all.
    """

    epoch: int
    relevance: float | None
    clean: float | None
    added: float | None


@dataclass(frozen=True)
class Outcome:
    """A repaired network of one method and seed.

    seconds: what the repair took, assessment left out; note: what was chosen, such as the layer; curve: the epochs;
    folder: where its checkpoint `model.ckpt` and its heatmaps `evolution.npz` are.
    """

    method: Method
    seed: int
    seconds: float
    assessment: Assessment
    note: str
    curve: tuple[Point, ...]
    folder: Path
