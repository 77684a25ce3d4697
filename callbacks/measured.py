"""What one artifact does to a network now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from unhans.callbacks.tracked import Tracked

from unhans.artifacts import Effect, flip_effect
from unhans.artifacts.addition import pasted
from unhans.artifacts.bench import Bench
from unhans.artifacts.measurement import Change, measure
from unhans.artifacts.paste import check_layer
from unhans.artifacts.put_on import is_whole
from unhans.artifacts.subtraction import Subtraction, located
from unhans.artifacts.verdict import FEWEST

Measured = tuple[Effect, "Effect | None"]
Masks = dict[int, "NDArray[np.bool_] | None"]


def measured(each: Tracked, bench: Bench, others: NDArray[np.int64], affected: Masks) -> Measured:
    """Return the effect of laying an artifact over samples of other classes, and of removing it where it is known.

    others: data-set indices; affected: what `affected_by` found. The second effect is None where nothing is affected.
    """
    added = _effect(bench, others, pasted(each.layered), each.target)
    if not affected:
        return added, None
    where = np.array(sorted(affected), dtype=np.int64)
    return added, _effect(bench, where, _removal(each, bench, affected), each.target, lost=True)


def affected_by(each: Tracked, bench: Bench, samples: int) -> Masks:
    """Return the samples of the artifact's class that carry it, with where it lies (H, W), None where that is known.

    Known carriers, or those of at most `samples` drawn ones in which the artifact's detector finds it.
    """
    own = bench.labels == each.target
    order = np.random.default_rng([bench.seed, each.target, 1]).permutation(
        np.flatnonzero(own if each.carriers is None else own & each.carriers)
    )[:samples]
    if each.truth is not None:
        return dict.fromkeys(map(int, order))
    if each.detector is None:
        return {}
    found: Masks = {}
    for images, kept in bench.batches(order):
        match = each.detector.match(images)
        found |= {int(kept[row]): match.masks[row] for row in np.flatnonzero(match.carries)}
    if is_whole(each.layered):
        return found
    return {
        int(index): found[int(index)] for index in located(np.array(list(found), dtype=np.int64), found.__getitem__)
    }


def check_one(each: Tracked, bench: Bench, indices: NDArray[np.int64]) -> None:
    """Lay the artifact over the first sample that can be read; raise ValueError for what could not be measured."""
    for images, kept in bench.batches(indices):
        if not is_whole(each.layered):
            check_layer(each.layered.layer(int(kept[0]), (images.shape[-2], images.shape[-1])))
        logits = bench.predict(pasted(each.layered)(images[:1], kept[:1]))
        flip_effect(logits, logits, each.target)
        return


def standing(epochs: Sequence[int], effects: Sequence[Effect], minimum: float) -> str:
    """Say since which epoch an artifact is learned or forgotten: the lower end of the interval of Δp decides.

    Fewer than ten samples show nothing, as in a verdict.
    """
    learned = [effect.probability_interval[0] >= minimum and effect.n >= FEWEST for effect in effects]
    if not any(learned):
        return "not learned"
    last = len(learned) - 1
    since = next((i for i in range(last, -1, -1) if learned[i] != learned[last]), -1) + 1
    return f"{'learned' if learned[last] else 'forgotten'} since epoch {epochs[since]}"


def _effect(bench: Bench, indices: NDArray[np.int64], change: Change, target: int, lost: bool = False) -> Effect:
    found = measure(bench, indices, {"changed": change}, lambda images: None)
    return flip_effect(found.before, found.after["changed"], target, bench.seed, lost)


def _removal(each: Tracked, bench: Bench, affected: Masks) -> Change:
    """The images as they were before the artifact was planted, else inpainted where it was found, or changed back."""
    truth = each.truth
    if truth is None:
        fill = "undo" if is_whole(each.layered) else "telea"
        return Subtraction(bench, each.layered, affected.__getitem__, np.array([], dtype=np.int64)).change(fill)
    return lambda images, indices: torch.stack([truth(int(index)) for index in indices])
