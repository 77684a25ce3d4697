"""Artifacts and detectors as tensors and plain values, for files and checkpoints, and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Layered, can_be_put_on, check_layer
from unhans.artifacts.transforms import Transform, transform_from, transform_record
from unhans.isolation.colour import ColorDetector, ColorModel
from unhans.isolation.fixed import Discriminant, FixedDetector
from unhans.isolation.isolated import Detector, Isolated
from unhans.isolation.rigid import Template, TemplateDetector
from unhans.isolation.whole import LinearDiscriminant, WholeDetector
from unhans.spray.groups import ColourFilter

_OURS = (
    FixedDetector,
    Discriminant,
    ColourFilter,
    TemplateDetector,
    Template,
    ColorDetector,
    ColorModel,
    WholeDetector,
    LinearDiscriminant,
)
_KINDS = {kind.__name__: kind for kind in _OURS}
_KIND, _ARRAY = "kind", "array"


def detector_record(detector: Detector) -> dict[str, Any]:
    """Return a detector of ours as `torch.load(weights_only=True)` reads it; TypeError for one of another kind."""
    return _plain(detector)


def detector_from(record: dict[str, Any]) -> Detector:
    """Return the detector that `detector_record` was made of; KeyError or TypeError for other records."""
    return _made(record)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and type(value).__name__ in _KINDS:
        parts = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {_KIND: type(value).__name__, **parts}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return {_ARRAY: torch.from_numpy(value.copy())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor):
        return value.clone()  # a view would be saved with all that it is a part of
    if isinstance(value, float | int | str):
        return value
    raise TypeError(f"a detector that is kept in a file must be one of {', '.join(_KINDS)}, got {type(value).__name__}")


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_made(one) for one in value)
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return value[_ARRAY].numpy()
    return _KINDS[value[_KIND]](**{name: _made(part) for name, part in value.items() if name != _KIND})


def lasting(artifact: Layered | Tensor) -> Isolated:
    """Return an artifact that a checkpoint can hold: an isolated one, or an RGBA layer (4, H, W) of the images' size.

    Raises ValueError for others, and for one without a layer.
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
    known = artifact.places[artifact.members & (artifact.places[:, 2] > artifact.places[:, 0])]
    layers = [layer.clone() for layer in artifact.layers]
    places = torch.from_numpy(known.copy())
    transform = None if artifact.transform is None else transform_record(artifact.transform)
    plain = {"kind": artifact.kind, "layers": layers, "places": places, "seed": artifact.seed}
    return plain | {"transform": transform}


def unpacked(state: dict[str, Any]) -> Isolated:
    """Return the artifact with the layers, or the transform, that the packed one had, on every sample."""
    stored = state.get("transform")
    transform = None if stored is None else transform_from(stored)
    return _isolated(state["kind"], tuple(state["layers"]), state["places"].numpy(), state["seed"], transform)


def _isolated(
    kind: Any, layers: tuple[Tensor, ...], places: NDArray[np.int64], seed: int, transform: Transform | None = None
) -> Isolated:
    members = np.ones(len(places), dtype=bool)
    masks = np.zeros((len(places), 0, 0), dtype=bool)
    return Isolated(
        kind, layers, members, masks, None, float("nan"), places, "Stored in a checkpoint.", seed, transform
    )
