"""From a suspicion to a measured statement: what an artifact does to a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from unhans.artifacts import Layered, is_whole, layers_of, put_on
from unhans.effects.bench import Bench, check_label, draw_evenly, drawn
from unhans.effects.effect import Trial
from unhans.effects.interventions import (
    Example,
    Masks,
    Subtraction,
    Truth,
    add,
    check_fills,
    choose,
    examples_of,
    located,
    masks_of,
    pasted,
)
from unhans.effects.verdict import Rival, Verdict, judge, rivals_of


@dataclass(frozen=True)
class SplitRemoval:
    """The artifact taken away from its carriers of one split.

    Attributes:
        split: "train" or "val".
        by: how the carriers are known: members of the group that it was isolated from, or found by its detector.
        trials: one per fill, then the control.
    """

    split: str
    by: Literal["members", "detector"]
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Proof:
    """The effect of an artifact on the probability of one class, with controls, and the verdict.

    Attributes:
        label, name: the artifact's class.
        added: the artifact's trial on samples of other classes, then its controls.
        removed: a trial per fill on affected samples, then the control; () where there are none.
        verdict: what these trials say.
        examples, removal_examples: single samples of both.
        removals: the same as `removed`, of each split apart, where that is not all of it.
    """

    label: int
    name: str
    added: tuple[Trial, ...]
    removed: tuple[Trial, ...]
    verdict: Verdict
    examples: tuple[Example, ...]
    removal_examples: tuple[Example, ...]
    removals: tuple[SplitRemoval, ...] = ()

    @cached_property
    def rivals(self) -> list[Rival]:
        """Every control held against the artifact; the intervals are bootstrapped once."""
        return rivals_of(self.added)


def prove(
    bench: Bench,
    artifact: Layered,
    label: int,
    *,
    affected: NDArray[np.int64],
    unaffected: NDArray[np.int64],
    masks: Masks | None = None,
    truth: Truth | None = None,
    samples: int = 500,
    fills: Sequence[str] = ("telea",),
    examples: int = 3,
    others: NDArray[np.int64] | None = None,
    controls: bool = True,
) -> Proof:
    """Paste an artifact on samples of other classes, take it away from affected ones, and judge the changes.

    Args:
        bench: the network and a data set; every index counts in this data set.
        artifact: an RGBA layer that has its place on every sample, or a transform of whole images.
        label: the artifact's class.
        affected, unaffected: samples of the class with and without it; either may be empty.
        masks: where it lies on an affected sample, (H, W) bool; None: where its layer there is visible. Affected
            samples with an empty mask are left out. A transform needs none.
        truth: an affected sample's image (3, H, W) as it was before the artifact was planted.
        samples: to paste on and to take away from, at most; drawn by the bench's seed, evenly over the other classes.
            Where there are fewer, all are used: n says how many.
        fills: ways to take it away, see Remove; the first decides how removal is graded.
        examples: single samples to keep of each part, half of them those that change most.
        others: the samples of other classes that may be used; None: all whose label is another (−1 is none).
        controls: whether controls are pasted as well. Without them an effect can be excluded and none be proven.

    Raises:
        ValueError: the class does not exist, there are no samples of other classes, a fill is unknown, the layer shows
            nothing or has another size, or a mask covers everything.
    """
    check_label(label, bench.classes)
    fills = check_fills(fills, artifact, truth)
    pool = _others(bench, label, others)
    chosen, carriers = draw_evenly(bench.labels, pool, samples, bench.seed), drawn(affected, samples, bench.seed)
    size = _size(bench, chosen)
    _check_visible(artifact, chosen, size)
    masks = masks or masks_of(artifact, size)
    present = carriers if is_whole(artifact) else located(carriers, masks)
    added = add(bench, artifact, label, chosen, unaffected, size, controls)
    shown = _examples(bench, label, added[0], 1, examples, pasted(artifact))
    ways = Subtraction(bench, artifact, masks, pool, truth)
    removed = ways.trials(label, present, fills) if len(present) else ()
    gone = _examples(bench, label, removed[0], -1, examples, ways.change(fills[0])) if removed else ()
    name = bench.classes[label]
    return Proof(label, name, added, removed, judge(added), shown, gone)


def _others(bench: Bench, label: int, others: NDArray[np.int64] | None) -> NDArray[np.int64]:
    pool = np.arange(len(bench.labels)) if others is None else np.unique(np.asarray(others, dtype=np.int64))
    pool = pool[(bench.labels[pool] != -1) & (bench.labels[pool] != label)]
    if not len(pool):
        raise ValueError(
            f"the effect of an artifact of {bench.classes[label]!r} needs samples of other classes, got none"
        )
    return pool


def _size(bench: Bench, indices: NDArray[np.int64]) -> tuple[int, int]:
    for index in indices:
        images, _ = bench.read(np.array([index]))
        if len(images):
            return tuple(images.shape[-2:])
    raise ValueError(f"the effect of an artifact needs samples that can be read, got none of {len(indices)}")


def _check_visible(artifact: Layered, indices: NDArray[np.int64], size: tuple[int, int]) -> None:
    if is_whole(artifact):
        put_on(artifact, torch.zeros(1, 3, *size), indices[:1])  # one of another size is refused now
    elif not bool((layers_of(artifact, indices[:1], size)[:, 3] > 0).any()):
        raise ValueError("an artifact must show something, got a layer that is fully transparent")


def _examples(bench: Bench, label: int, trial: Trial, sign: int, count: int, change: Callable) -> tuple[Example, ...]:
    rows = choose(sign * trial.differences, count, bench.labels[trial.indices])
    chosen = [(int(trial.indices[row]), choice) for row, choice in rows]
    return examples_of(bench, label, chosen, change)
