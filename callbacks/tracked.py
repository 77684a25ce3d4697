"""The artifacts that a monitor follows, however the user names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Artifact
from unhans.artifacts.bench import Layered
from unhans.artifacts.case import Case
from unhans.artifacts.isolated import Detector
from unhans.artifacts.naming import class_index
from unhans.artifacts.put_on import can_be_put_on
from unhans.data import Planted


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
