"""Artifacts that are monitored during training: which ones, what each does now, and since when it is learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Artifact, Layered, can_be_put_on, check_layer, is_whole
from unhans.class_names import class_index
from unhans.effects import FEWEST, Bench, Case, Change, Effect, flip_effect, measure
from unhans.effects.interventions import Subtraction, located, pasted
from unhans.harness.ground_truth import Planted, measure_pasted
from unhans.harness.network_bench import check_outputs
from unhans.isolation import Detector

Places = dict[int, "NDArray[np.bool_] | None"]


@dataclass(frozen=True)
class MonitoredArtifact:
    """One artifact whose effect is measured again and again.

    Attributes:
        name: in charts and files.
        layered: has a layer for every sample, or changes whole images.
        target: its class.
        carriers: (N,) bool, the samples known to carry it; None where nobody knows.
        truth: such a sample's image (3, H, W) in [0, 1] without it.
        detector: finds it in images instead.
    """

    name: str
    layered: Layered
    target: int
    carriers: NDArray[np.bool_] | None = None
    truth: Callable[[int], Tensor] | None = None
    detector: Detector | None = None

    def check(self, bench: Bench, indices: NDArray[np.int64]) -> None:
        """Lay it over the first sample that can be read; raise ValueError for what could not be measured."""
        for images, kept in bench.batches(indices):
            if not is_whole(self.layered):
                check_layer(self.layered.layer(int(kept[0]), (images.shape[-2], images.shape[-1])))
            logits = bench.predict(pasted(self.layered)(images[:1], kept[:1]))
            check_outputs(logits.shape[1], bench.labels)
            flip_effect(logits, logits, self.target)
            return

    def find_carriers(self, bench: Bench, samples: int) -> Places:
        """Return the samples of its class that carry it, with where it lies (H, W), None where that is known.

        Known carriers, or those of at most `samples` drawn ones in which its detector finds it.
        """
        own = bench.labels == self.target
        order = np.random.default_rng([bench.seed, self.target, 1]).permutation(
            np.flatnonzero(own if self.carriers is None else own & self.carriers)
        )[:samples]
        if self.truth is not None:
            return dict.fromkeys(map(int, order))
        found: Places = {}
        for images, kept in bench.batches(order) if self.detector is not None else ():
            match = self.detector.match(images)
            found |= {int(kept[row]): match.masks[row] for row in np.flatnonzero(match.carries)}
        if is_whole(self.layered):
            return found
        with_place = located(np.array(list(found), dtype=np.int64), found.__getitem__)
        return {int(index): found[int(index)] for index in with_place}

    def measure(self, bench: Bench, others: NDArray[np.int64], carriers: Places) -> tuple[Effect, Effect | None]:
        """Return the effect of laying it over samples of other classes, and of removing it from those that carry it.

        Args:
            bench: the network and the data set.
            others: (n,) indices of samples of other classes.
            carriers: as from `find_carriers`; where there are none, the second effect is None.
        """
        added = measure_pasted(bench, self.layered, self.target, others)
        if not carriers:
            return added, None
        found = measure(bench, np.array(sorted(carriers)), {"removed": self._removal(bench, carriers)}, lambda n: None)
        return added, flip_effect(found.before, found.after["removed"], self.target, bench.seed, lost=True)

    def _removal(self, bench: Bench, carriers: Places) -> Change:
        """The images as they were before it was planted, else inpainted where it was found, or changed back."""
        truth = self.truth
        if truth is not None:
            return lambda images, indices: torch.stack([truth(int(index)) for index in indices])
        fill = "undo" if is_whole(self.layered) else "telea"
        return Subtraction(bench, self.layered, carriers.__getitem__, np.array([], dtype=np.int64)).change(fill)


def monitored_artifacts(artifacts: Any, planted: Planted | None, classes: Sequence[str]) -> list[MonitoredArtifact]:
    """Return the artifacts to follow.

    Args:
        artifacts: one artifact, several, or several by name. Each is an `Artifact` such as `Patch`, a `Case`, a pair of
            anything with a layer and its class (name or number), or None for the one that the data set plants.
        planted: what that is.
        classes: names of all classes.

    Raises:
        ValueError: in one sentence, for anything else, for unknown classes and where nothing is planted.
    """
    if isinstance(artifacts, Mapping):
        given = list(artifacts.items())
    else:
        given = [("", each) for each in (artifacts if _several(artifacts) else [artifacts])]
    if not given:
        raise ValueError("artifacts expects at least one artifact, got none.")
    found = [(name, _resolved(each, planted, classes)) for name, each in given]
    return list(_named_once([replace(each, name=name or each.name) for name, each in found]))


def _several(artifacts: Any) -> bool:
    """A list of artifacts; a pair of an artifact and its class is one."""
    pair = isinstance(artifacts, tuple) and len(artifacts) == 2 and isinstance(artifacts[1], str | int)
    return isinstance(artifacts, Sequence) and not isinstance(artifacts, str) and not pair


def _resolved(artifact: Any, planted: Planted | None, classes: Sequence[str]) -> MonitoredArtifact:
    if artifact is None or (planted is not None and artifact is planted.artifact):
        if planted is None:
            raise ValueError(
                "the data set plants no artifact of its own; give artifacts=, such as Patch(target=…, file=…)."
            )
        return MonitoredArtifact(planted.name, planted, planted.target, planted.carriers, planted.truth)
    if isinstance(artifact, Artifact):
        return MonitoredArtifact(type(artifact).__name__.lower(), artifact, artifact.target_index(classes))
    if isinstance(artifact, Case):
        if not can_be_put_on(artifact.isolated):
            raise ValueError(f"the case of class {artifact.name!r} has no layer that could be pasted.")
        artifact = artifact.isolated, artifact.label
    if isinstance(artifact, tuple | list) and len(artifact) == 2 and hasattr(artifact[0], "layer"):
        layered, target = artifact
        kind = getattr(layered, "kind", type(layered).__name__.lower())
        return MonitoredArtifact(
            f"{kind} artifact",
            layered,
            class_index(target, classes, "the artifact's target"),
            detector=getattr(layered, "detector", None),
        )
    raise ValueError(
        "artifacts expects artifacts of a class, such as Patch(target=…, file=…), cases, or pairs of an isolated "
        f"artifact and its class, got {type(artifact).__name__}."
    )


def _named_once(found: Sequence[MonitoredArtifact]) -> Iterator[MonitoredArtifact]:
    """Number artifacts of the same name from 1."""
    times, seen = Counter(each.name for each in found), Counter()
    for each in found:
        seen[each.name] += 1
        yield each if times[each.name] == 1 else replace(each, name=f"{each.name} {seen[each.name]}")


Learned = tuple[Literal["not learned", "learned", "forgotten"], int | None]


def learned_since(epochs: Sequence[int], effects: Sequence[Effect], minimum: float) -> Learned:
    """Return whether an artifact is learned or forgotten, and since which epoch; None where it never was learned.

    The lower end of the interval of Δp decides. Fewer than ten samples show nothing, as in a verdict.

    Args:
        epochs: ascending.
        effects: after each of them.
        minimum: the change of p from which an effect counts.
    """
    learned = [effect.probability_interval[0] >= minimum and effect.n >= FEWEST for effect in effects]
    if not any(learned):
        return "not learned", None
    last = len(learned) - 1
    since = next((i for i in range(last, -1, -1) if learned[i] != learned[last]), -1) + 1
    return "learned" if learned[last] else "forgotten", epochs[since]
