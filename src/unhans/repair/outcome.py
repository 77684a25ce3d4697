"""Repaired networks as a report reads them, and the names of the methods that repaired them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from unhans.repair.assessment import Assessment


METHOD_NAMES = {
    "uncorrected": "as it was",
    "unaltered": "fine-tuned on unaltered data (A)",
    "augmented": "fine-tuned with the artifact on all images (B)",
    "a_clarc": "A-ClArC",
    "p_clarc": "P-ClArC",
    "reactive": "reactive P-ClArC",
    "right_reasons": "right for the right reasons",
}
SHORT_NAMES = {
    "unaltered": "A: unaltered data",
    "augmented": "B: artifact on all",
    "right_reasons": "right reasons",
}
BEFORE = "uncorrected"  # the method that the others are compared with


class PointLike(Protocol):
    """One epoch of a fine-tuning; shares in [0, 1], None where they were not measured."""

    @property
    def epoch(self) -> int:
        """The epoch; 0 is before the first."""

    @property
    def relevance(self) -> float | None:
        """Mean share of positive relevance inside the mask of the artifact."""

    @property
    def clean(self) -> float | None:
        """Accuracy on validation images without the artifact."""

    @property
    def added(self) -> float | None:
        """Accuracy on the same images with the artifact on all."""


class OutcomeLike(Protocol):
    """A network of one method and seed, assessed; `unhans.repair.methods.Outcome` is one."""

    @property
    def method(self) -> str:
        """A key of `METHOD_NAMES`."""

    @property
    def seed(self) -> int:
        """The seed of its training."""

    @property
    def seconds(self) -> float:
        """What the repair took, assessment left out."""

    @property
    def assessment(self) -> Assessment:
        """What it does with and without the artifact."""

    @property
    def note(self) -> str:
        """What was chosen, such as the layer."""

    @property
    def curve(self) -> Sequence[PointLike]:
        """The epochs of its training, empty where there was none."""

    @property
    def folder(self) -> Path:
        """Where its files are."""


def by_method(outcomes: Iterable[OutcomeLike]) -> dict[str, list[OutcomeLike]]:
    """Sort outcomes by method, known ones in the order of `METHOD_NAMES`, and by seed.

    Raises ValueError where there is none, or a seed of a method is given twice.
    """
    found: dict[str, list[OutcomeLike]] = {}
    for outcome in sorted(outcomes, key=lambda one: one.seed):
        found.setdefault(outcome.method, []).append(outcome)
    if not found:
        raise ValueError("A comparison of repairs needs at least one outcome; got none.")
    for method, runs in found.items():
        seeds = [run.seed for run in runs]
        if len(set(seeds)) != len(seeds):
            raise ValueError(f"A comparison needs one outcome per method and seed; got seeds {seeds} of {method!r}.")
    known = [*METHOD_NAMES, *sorted(set(found) - set(METHOD_NAMES))]
    return {method: found[method] for method in known if method in found}


def name_of(method: str) -> str:
    """Return what a method is called."""
    return METHOD_NAMES.get(method, method)


def short_name(method: str) -> str:
    """Return what a method is called where there is little room."""
    return SHORT_NAMES.get(method, name_of(method))
