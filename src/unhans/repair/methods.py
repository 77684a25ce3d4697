"""What a repair led to: one network, assessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unhans.repair.assessment import Assessment
from unhans.repair.outcome import METHOD_NAMES
from unhans.stats import Interval

Method = Literal["uncorrected", "unaltered", "augmented", "a_clarc", "p_clarc", "reactive", "right_reasons"]

METHODS: Mapping[str, str] = METHOD_NAMES  # what they are called

POST_HOC: tuple[Method, ...] = ("uncorrected", "p_clarc", "reactive")  # nothing is trained: they need a trained network
CORRECTING: tuple[Method, ...] = ("a_clarc", "p_clarc", "reactive")  # at a layer, by a concept


@dataclass(frozen=True)
class Point:
    """One epoch of a fine-tuning; epoch 0 is before it.

    relevance: mean share of positive relevance inside the artifact's mask on fixed samples that carry it, with its 95 %
    interval over these samples, None where it was not measured; clean, added: accuracy on the validation images without
    and with the artifact on all.
    """

    epoch: int
    relevance: float | None
    clean: float | None
    added: float | None
    relevance_interval: Interval | None = None


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
