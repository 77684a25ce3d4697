"""What a stored result depends on: whether it is still the wanted one, and why not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch

from unhans.store.codec import jsonable

LONGEST = 60  # characters of a value that a sentence shows
ABSENT = object()


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Say where two keys differ, such as "attribution.composite was epsilon_plus_flat, now epsilon".

    Keys are nested mappings of plain values; tuples equal lists, as both come back from a file as lists. Long values,
    such as digests, are only said to have changed. Nothing is returned where the keys are equal.
    """
    before, after = (dict(_leaves(jsonable(key))) for key in (stored, wanted))
    names = [*after, *(name for name in before if name not in after)]
    return [
        _sentence(name, before.get(name, ABSENT), after.get(name, ABSENT))
        for name in names
        if not _same(before.get(name, ABSENT), after.get(name, ABSENT))
    ]


def digest(*parts: Any) -> str:
    """Return the SHA-256, in hexadecimal, of tensors, arrays, texts, bytes, numbers, None, and mappings or sequences.

    It depends on every name, type, shape and value, and on the order, not on the device or the memory layout.

    Raises:
        ValueError: a part is something else.
    """
    state = hashlib.sha256()
    for chunk in _chunks(parts):
        state.update(chunk)
    return state.hexdigest()


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{name}.{key}" if name else key)
    elif name:
        yield name, node


def _same(before: Any, after: Any) -> bool:
    """Tell whether two values are equal: 1 and 1.0 are, NaN is itself, true is not 1."""
    if ABSENT in (before, after):
        return before is after
    return json.dumps(before) == json.dumps(after) or (before == after and bool not in (type(before), type(after)))


def _sentence(name: str, before: Any, after: Any) -> str:
    old, new = _shown(before), _shown(after)
    if max(len(old), len(new)) > LONGEST:
        return f"{name} has changed"
    return f"{name} was {old}, now {new}" + (" (of another type)" if old == new else "")


def _shown(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _chunks(part: Any) -> Iterator[Any]:
    """Yield bytes that tell apart any two parts: every one begins with its type and size."""
    if isinstance(part, torch.Tensor):
        flat = part.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        yield f"tensor {part.dtype} {tuple(part.shape)}\n".encode()
        yield flat.numpy().data
    elif isinstance(part, np.ndarray | np.generic) and part.dtype.kind in "biufc":
        yield f"array {part.dtype.str} {part.shape}\n".encode()
        yield np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
    elif isinstance(part, Mapping):
        yield f"mapping {len(part)}\n".encode()
        yield from chain.from_iterable(map(_chunks, chain.from_iterable(part.items())))
    elif isinstance(part, list | tuple):
        yield f"sequence {len(part)}\n".encode()
        yield from chain.from_iterable(map(_chunks, part))
    else:
        yield _scalar(part)


def _scalar(part: Any) -> bytes:
    if not isinstance(part, str | bytes | int | float | None):
        raise ValueError(f"cannot digest a {type(part).__name__}; expected tensors, arrays, texts or numbers")
    content = part if isinstance(part, bytes) else str(part).encode()
    return f"{type(part).__name__} {len(content)}\n".encode() + content
