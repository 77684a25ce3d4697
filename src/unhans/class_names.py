"""Classes by name or index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any

_SHOWN = 8  # names in an error: enough to recognise the data set, few enough to read


class Names(list[str]):
    """Names of classes by label; a label without a name, as of a head wider than the data, goes by its number.

    >>> Names(["cat", "dog"])[1], Names(["cat", "dog"])[7]
    ('dog', '7')
    """

    def __getitem__(self, label: Any) -> Any:
        """Return the name of a class."""
        known = isinstance(label, slice) or label < len(self)
        return super().__getitem__(label) if known else str(label)


def labels_named(names: Sequence[str] | None, classes: Mapping[int, str], what: str) -> list[int]:
    """Return the labels of some classes in the order of their names, of all where None is given.

    Args:
        names: of the wanted ones.
        classes: name by label.
        what: opens the sentence of an error.

    Raises:
        ValueError: a name is unknown.
    """
    labels, known = list(classes), list(classes.values())
    return labels if names is None else [labels[class_index(str(name), known, what)] for name in names]


def class_index(name: Any, classes: Sequence[str], what: str) -> int:
    """Return the index of a class.

    Args:
        name: of the class, or its index, which is checked.
        what: opens the sentence of an error.

    Raises:
        ValueError: the name is unknown, and near ones are told; or there is no such index.
    """
    if not isinstance(name, str):
        if not isinstance(name, Integral) or not 0 <= name < len(classes):
            raise ValueError(f"{what} must be a class name or an index 0 … {len(classes) - 1}, got {name!r}")
        return int(name)
    if name in classes:
        return list(classes).index(name)
    near = get_close_matches(name, classes, n=3)
    listing = ", ".join([*classes[:_SHOWN], *(["…"] if len(classes) > _SHOWN else [])])
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"the classes are {listing}"
    raise ValueError(f"{what} names no class: expected one of {len(classes)} class names, got {name!r}; {hint}")
