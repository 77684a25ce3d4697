"""Classes by name or index."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any


class Names(list[str]):
    """Names of classes by label; a label without a name, as of a head wider than the data, goes by its number.

    >>> Names(["cat", "dog"])[1], Names(["cat", "dog"])[7]
    ('dog', '7')
    """

    def __getitem__(self, label: Any) -> Any:
        """Return the name of a class."""
        known = isinstance(label, slice) or label < len(self)
        return super().__getitem__(label) if known else str(label)


_SHOWN = 8  # names in an error: enough to recognise the data set, few enough to read


def class_index(name: str, classes: Sequence[str], what: str) -> int:
    """Return the index of a class name.

    Raises ValueError for an unknown name, with near matches; `what` opens that sentence.
    """
    if name in classes:
        return list(classes).index(name)
    near = get_close_matches(name, classes, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"the classes are {_listing(classes)}"
    raise ValueError(f"{what} names no class: expected one of {len(classes)} class names, got {name!r}; {hint}")


def _listing(classes: Sequence[str]) -> str:
    shown = ", ".join(classes[:_SHOWN])
    return shown if len(classes) <= _SHOWN else f"{shown}, …"
