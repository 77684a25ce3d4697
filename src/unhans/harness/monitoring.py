"""Artifacts that are monitored during training: which ones, what each does now, and its effects over epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Artifact, Layered, can_be_put_on, check_layer, is_whole
from unhans.class_names import class_index
from unhans.effects import FEWEST, Bench, Case, Change, Effect, flip_effect, measure
from unhans.effects.interventions import Subtraction, located, pasted
from unhans.harness.network_bench import Planted
from unhans.isolation import Detector
from unhans.report.text import MEASURES


@dataclass(frozen=True)
class Tracked:
    """One artifact whose effect is measured again and again.

    name: in charts and files; target: its class; carriers: (N,) the samples known to carry it, None where nobody knows;
    truth: such a sample's image without it; detector: finds it in images instead.
    """

    name: str
    layered: Layered
    target: int
    carriers: NDArray[np.bool_] | None = None
    truth: Callable[[int], Tensor] | None = None
    detector: Detector | None = None


def tracked(artifacts: Any, planted: Planted | None, classes: Sequence[str]) -> list[Tracked]:
    """Return the artifacts to follow.

    artifacts: one artifact, several, or several by name. Each is an `Artifact` such as `Patch`, a `Case`, a pair of
    anything with a layer and its class (name or number), or None for the one that the data set plants.

    Raises ValueError, in one sentence, for anything else, for unknown classes and where nothing is planted.
    """
    if isinstance(artifacts, Mapping):
        given = list(artifacts.items())
    else:
        given = [("", each) for each in (artifacts if _several(artifacts) else [artifacts])]
    if not given:
        raise ValueError("artifacts expects at least one artifact, got none.")
    found = [replace(_resolved(each, planted, classes), **({"name": name} if name else {})) for name, each in given]
    return list(_named_once(found))


def _several(artifacts: Any) -> bool:
    """A list of artifacts; a pair of an artifact and its class is one."""
    pair = isinstance(artifacts, tuple) and len(artifacts) == 2 and isinstance(artifacts[1], str | int)
    return isinstance(artifacts, Sequence) and not isinstance(artifacts, str) and not pair


def _resolved(artifact: Any, planted: Planted | None, classes: Sequence[str]) -> Tracked:
    if artifact is None or (planted is not None and artifact is planted.artifact):
        if planted is None:
            raise ValueError(
                "the data set plants no artifact of its own; give artifacts=, such as Patch(target=…, file=…)."
            )
        return Tracked(planted.name, planted, planted.target, planted.carriers, planted.truth)
    if isinstance(artifact, Artifact):
        return Tracked(type(artifact).__name__.lower(), artifact, artifact.target_index(classes))
    if isinstance(artifact, Case):
        if not can_be_put_on(artifact.isolated):
            raise ValueError(f"the case of class {artifact.name!r} has no layer that could be pasted.")
        artifact = artifact.isolated, artifact.label
    if isinstance(artifact, tuple | list) and len(artifact) == 2 and hasattr(artifact[0], "layer"):
        layered, target = artifact
        kind = getattr(layered, "kind", type(layered).__name__.lower())
        return Tracked(
            f"{kind} artifact", layered, _label(target, classes), detector=getattr(layered, "detector", None)
        )
    raise ValueError(
        "artifacts expects artifacts of a class, such as Patch(target=…, file=…), cases, or pairs of an isolated "
        f"artifact and its class, got {type(artifact).__name__}."
    )


def _label(target: Any, classes: Sequence[str]) -> int:
    if isinstance(target, str):
        return class_index(target, classes, "the artifact's target")
    if not isinstance(target, int | np.integer) or not 0 <= target < len(classes):
        raise ValueError(
            f"the artifact's target must be a class name or a label 0 … {len(classes) - 1}, got {target!r}"
        )
    return int(target)


def _named_once(found: Sequence[Tracked]) -> Iterator[Tracked]:
    """Number artifacts of the same name from 1."""
    times, seen = Counter(each.name for each in found), Counter()
    for each in found:
        seen[each.name] += 1
        yield each if times[each.name] == 1 else replace(each, name=f"{each.name} {seen[each.name]}")


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


NUMBERS = [f"{each.column}{end}" for each in MEASURES for end in ("", "_low", "_high")]
COLUMNS = ("epoch", "artifact", "class", "change", "n", *NUMBERS)

Curves = Mapping[str, Sequence[Effect]]


def rows_of(epochs: Sequence[int], targets: Mapping[str, str], added: Curves, removed: Curves) -> list[list[Any]]:
    """Return all effects of all epochs, in the order of `COLUMNS`.

    targets: the class of each artifact, by its name; added, removed: the effects of each, one per epoch, by its name.
    """
    rows = []
    for number, epoch in enumerate(epochs):
        for name, target in targets.items():
            for change, effects in (("added", added), ("removed", removed)):
                if len(effects.get(name, ())) > number:
                    effect = effects[name][number]
                    rows.append([epoch, name, target, change, effect.n, *_scalars(effect).values()])
    return rows


def scalars_of(prefix: str, found: Measured) -> dict[str, float]:
    """Return the numbers of one artifact by their keys in a logger."""
    added, removed = found
    scalars = {f"{prefix}/{key}": value for key, value in _scalars(added).items()}
    scalars[f"{prefix}/n"] = float(added.n)
    if removed is not None:
        scalars |= {f"{prefix}/removed_{key}": value for key, value in _scalars(removed).items()}
        scalars[f"{prefix}/removed_n"] = float(removed.n)
    return scalars


def _scalars(effect: Effect) -> dict[str, float]:
    """Every column of an effect and the ends of its interval, by column."""
    numbers = {}
    for each in MEASURES:
        low, high = each.interval(effect)
        numbers |= {each.column: each.value(effect), f"{each.column}_low": low, f"{each.column}_high": high}
    return numbers
