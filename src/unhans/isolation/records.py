"""Artifacts and detectors as tensors and plain values, for files and checkpoints, and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Layered, Transform, can_be_put_on, check_layer
from unhans.isolation.fixed import Discriminant, FixedDetector
from unhans.isolation.free import ColorDetector, ColorModel, Template, TemplateDetector
from unhans.isolation.isolated import Isolated
from unhans.isolation.whole import LinearDiscriminant, WholeDetector
from unhans.spray.groups import ColourFilter

_DETECTORS = FixedDetector, TemplateDetector, ColorDetector, WholeDetector
_PARTS = Discriminant, ColourFilter, Template, ColorModel, LinearDiscriminant
_KINDS = {kind.__name__: kind for kind in (*_DETECTORS, *_PARTS, *get_args(Transform))}
_KIND, _ARRAY = "kind", "array"


def record_of(value: Any) -> Any:
    """Return our detector or transform, or part of one, as `torch.load(weights_only=True)` reads it; else TypeError."""
    if is_dataclass(value) and type(value).__name__ in _KINDS:
        parts = {field.name: record_of(getattr(value, field.name)) for field in fields(value)}
        return {_KIND: type(value).__name__, **parts}
    if isinstance(value, tuple):
        return [record_of(one) for one in value]
    if isinstance(value, np.ndarray):
        return {_ARRAY: torch.from_numpy(value.copy())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor):
        return value.clone()  # a view would be saved with all that it is a part of
    if isinstance(value, float | int | str):
        return value
    raise TypeError(f"what is kept in a file must be one of {', '.join(_KINDS)}, got {type(value).__name__}")


def from_record(record: Any) -> Any:
    """Return what `record_of` made plain; KeyError or TypeError for other records."""
    if isinstance(record, list):
        return tuple(from_record(one) for one in record)
    if not isinstance(record, dict):
        return record
    if _ARRAY in record:
        return record[_ARRAY].numpy()
    return _KINDS[record[_KIND]](**{name: from_record(part) for name, part in record.items() if name != _KIND})


def lasting(artifact: Layered | Tensor) -> Isolated:
    """Return an artifact that a checkpoint can hold: an isolated one, or an RGBA layer (4, H, W) of the images' size.

    Raises:
        ValueError: it is neither, or has no layer.
    """
    if isinstance(artifact, Tensor):
        return _isolated("fixed", (check_layer(artifact),), np.zeros((0, 4), dtype=np.int64), 0)
    if not isinstance(artifact, Isolated):
        raise ValueError(
            f"add expects an isolated artifact or an RGBA layer (4, H, W), got {type(artifact).__name__}; "
            "give others to the constructor."
        )
    if not can_be_put_on(artifact):
        raise ValueError(f"a {artifact.kind} artifact has no layer that could be laid over an image")
    return artifact


def packed(artifact: Isolated) -> dict[str, Any]:
    """Return what decides an artifact's layers, or its transform, as tensors and plain values."""
    return {
        "kind": artifact.kind,
        "layers": [layer.clone() for layer in artifact.layers],
        "places": torch.from_numpy(artifact.known_places.copy()),
        "seed": artifact.seed,
        "transform": None if artifact.transform is None else record_of(artifact.transform),
    }


def unpacked(state: dict[str, Any]) -> Isolated:
    """Return the artifact with the layers, or the transform, that the packed one had, on every sample."""
    transform = from_record(state.get("transform"))
    return _isolated(state["kind"], tuple(state["layers"]), state["places"].numpy(), state["seed"], transform)


def _isolated(
    kind: Any, layers: tuple[Tensor, ...], places: NDArray[np.int64], seed: int, transform: Transform | None = None
) -> Isolated:
    members = np.ones(len(places), dtype=bool)
    masks = np.zeros((len(places), 0, 0), dtype=bool)
    return Isolated(kind, layers, members, masks, None, float("nan"), places, None, seed, transform)
