"""A detector as plain values and tensors, as a file keeps it, and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unhans.artifacts.color_detector import ColorDetector
from unhans.artifacts.colors import ColorModel
from unhans.artifacts.discriminant import Discriminant
from unhans.artifacts.fixed import FixedDetector
from unhans.artifacts.isolated import Detector
from unhans.artifacts.screening import LinearDiscriminant
from unhans.artifacts.template import Template
from unhans.artifacts.template_detector import TemplateDetector
from unhans.artifacts.whole_detector import WholeDetector
from unhans.spray.constant_colours import ColourFilter

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
