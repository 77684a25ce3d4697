"""Records as JSON: one codec for all that is stored and read again, and plain values for keys and other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter
from torch import Tensor

from unhans.store.atomic import replacing

Record = TypeVar("Record")

ARRAY = {"array", "dtype", "shape"}  # how an array is written


def jsonable(value: Any) -> Any:
    """Return a value as JSON holds it: arrays and sequences as lists, paths as texts, functions and objects by name."""
    return json.loads(json.dumps(value, default=_plain))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a value as JSON, whole or not at all: records as objects, arrays with their type and shape."""
    with replacing(path) as part:
        part.write_text(json.dumps(value, indent=1, default=_encoded), encoding="utf-8")


def export_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a value as strict JSON for other programs, whole or not at all: arrays as lists, null for NaN and infinity.

    Raises:
        OSError: it cannot be written.
    """
    finite = json.loads(json.dumps(value, default=_by_fields), parse_constant=lambda name: None)
    with replacing(path) as part:  # bytes of a file name that are no UTF-8 stand as \udcXX
        text = f"{json.dumps(finite, indent=1, ensure_ascii=False)}\n"
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def json_text(value: Any) -> str:
    """Return a value as `write_json` writes it."""
    return json.dumps(value, default=_encoded)


def record_from_text(kind: type[Record], text: str) -> Record:
    """Return the record of a kind that `json_text` wrote; ValueError as of `record_from`."""
    return record_from(kind, json.loads(text, object_hook=_decoded))


def read_json(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the object that `write_json` wrote, its records as mappings; None where there is none, or half a file."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), object_hook=_decoded)
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def record_from(kind: type[Record], plain: Any) -> Record:
    """Return the record of a kind, with all that it holds, that `read_json` gave as mappings.

    Raises:
        ValueError: a field is missing, unknown or of another type.
    """
    return _adapter(kind).validate_python((plain,))[0]


@cache
def _adapter(kind: Any) -> TypeAdapter:
    """Pydantic takes no options for a dataclass, but for a tuple of one and for what is in it."""
    return TypeAdapter(tuple[kind], config=ConfigDict(arbitrary_types_allowed=True, extra="forbid"))


def _plain(value: Any) -> Any:
    """One step towards plain values, of what JSON does not know."""
    if isinstance(value, np.ndarray | np.generic | Tensor):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else getattr(value, "__name__", repr(value))


def _by_fields(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return _plain(value)


def _encoded(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"array": value.ravel().tolist(), "dtype": str(value.dtype), "shape": value.shape}
    return _by_fields(value)


def _decoded(node: dict[str, Any]) -> Any:
    return np.array(node["array"], node["dtype"]).reshape(node["shape"]) if set(node) == ARRAY else node
