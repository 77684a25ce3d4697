"""What an artifact does to whole images: one interface for colour curves, fields, spectra and re-encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Protocol

from torch import Tensor

from unhans.artifacts.transforms.channel_map import ChannelMap
from unhans.artifacts.transforms.field import Field
from unhans.artifacts.transforms.jpeg import Jpeg
from unhans.artifacts.transforms.spectrum import Spectrum

_KINDS = {kind.__name__: kind for kind in (ChannelMap, Field, Spectrum, Jpeg)}
_KIND = "kind"


class Transform(Protocol):
    """A change of whole images, the same on every image.

    name: what kind it is, in two words or so. It is told by numbers in `sentence`.
    """

    name: ClassVar[str]

    @property
    def sentence(self) -> str:
        """What it does, with numbers: a clause without a subject, such as "multiplies …"."""
        ...

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with the artifact."""
        ...

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] as they were without it, as far as they can be recovered."""
        ...


def transform_record(transform: Transform) -> dict[str, Any]:
    """Return a transform of ours as `torch.load(weights_only=True)` reads it; TypeError for one of another kind."""
    kind = type(transform).__name__
    if kind not in _KINDS:
        raise TypeError(f"a transform that is kept in a file must be one of {', '.join(_KINDS)}, got {kind}")
    values = {field.name: getattr(transform, field.name) for field in fields(transform)}  # type: ignore[arg-type]
    return {_KIND: kind} | {name: v.clone() if isinstance(v, Tensor) else v for name, v in values.items()}


def transform_from(record: Mapping[str, Any]) -> Transform:
    """Return the transform that `transform_record` was made of; KeyError or TypeError for other records."""
    return _KINDS[record[_KIND]](**{name: value for name, value in record.items() if name != _KIND})
