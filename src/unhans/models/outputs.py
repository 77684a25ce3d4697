"""What the outputs of a trained head mean, and which of them each class of the data is."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

if TYPE_CHECKING:  # importing Lightning takes seconds
    from unhans.data.sources import ImageData

HeadChoice = Literal["keep", "fresh"] | None
Outputs = Sequence[int | str] | Mapping[str, int | str] | str | None
LOG = logging.getLogger("unhans")
ATTRIBUTE = "unhans_head"  # of a network
IMAGENET = 1000
WORDNET_ID = re.compile(r"\((n\d{8})\)$")


@dataclass(frozen=True)
class Head:
    """The last layer of a network.

    Attributes:
        kept: whether it is the trained one of the weights, else it is new and random.
        size: the number of its outputs.
        names: of its outputs, each with its synonyms separated by commas; empty where they are not known.
        wordnet_ids: of its outputs; empty where they are not ImageNet's.
        given: which output each class of the data is, as the user gave it.
    """

    kept: bool
    size: int
    names: Sequence[str] = ()
    wordnet_ids: Sequence[str] = ()
    given: Outputs = None

    def __post_init__(self) -> None:
        if self.given is not None and not self.kept:
            raise ValueError("model.outputs is for the trained head, but this head is new; give model.head=keep.")

    @cached_property
    def lookup(self) -> Mapping[str, list[int]]:
        """The outputs by name, synonym and WordNet id."""
        known: dict[str, list[int]] = defaultdict(list)
        for output, names in enumerate(self.names):
            for name in {_plain(each) for each in (names, *names.split(","))}:
                known[name].append(output)
        return known | {number: [output] for output, number in enumerate(self.wordnet_ids)}

    def outputs_called(self, name: str) -> list[int]:
        """Return the outputs of a name, or of the WordNet id in parentheses behind it, as ImageNet's cranes have it."""
        number = WORDNET_ID.search(name)
        return self.lookup.get(_plain(name)) or self.lookup.get(number.group(1) if number else "", [])


def head_of(network: nn.Module) -> Head | None:
    """Return what is known of a network's head; None for a network of which nothing is said."""
    return getattr(network, ATTRIBUTE, None)


def with_head(network: nn.Module, head: Head) -> nn.Module:
    """Note what is known of the network's head, and return the network."""
    setattr(network, ATTRIBUTE, head)
    return network


def optional_package(package: str, extra: str) -> Any:
    """Return a package that model=EXTRA needs; ImportError says how to install it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(
            f"model={extra} needs the package {package}; install it, or unhans with the extra {extra}."
        ) from error


@cache
def wordnet_ids() -> tuple[str, ...]:
    """Return the WordNet ids of ImageNet's 1,000 classes in the order of the outputs."""
    return tuple(files("unhans.models").joinpath("imagenet_wordnet_ids.txt").read_text(encoding="utf-8").split())


def is_kept(choice: HeadChoice, outputs: int | None, classes: int) -> bool:
    """Say whether a trained head stays: where it is wanted, or as many outputs as classes make it fit.

    Args:
        choice: "keep", "fresh", or None, which keeps a head that fits.
        outputs: of the weights; None where there are no weights.
        classes: of the data.

    Raises:
        ValueError: a head is to be kept and there are no weights, or for another choice.
    """
    if choice not in ("keep", "fresh", None):
        raise ValueError(f"model.head expects keep, fresh or null, got {choice!r}.")
    if choice == "keep" and outputs is None:
        raise ValueError("model.head=keep needs trained weights, got model.weights=null.")
    return choice == "keep" or (choice is None and outputs == classes)


def output_indices(head: Head, classes: Sequence[str]) -> list[int]:
    """Return the output of each class of the data.

    Args:
        head: a kept head.
        classes: names of the data's classes: WordNet ids, or names as the head's; both are looked up. Where none of
            them is known and there are as many outputs as classes, output i is class i.

    Raises:
        ValueError: a class has no output, two classes have one, or what was given does not fit.
    """
    found = _read_outputs(head, classes) if head.given is not None else _find_outputs(head, classes)
    twice = [output for output, times in Counter(found).items() if times > 1]
    if twice:
        same = " and ".join(repr(name) for name, output in zip(classes, found, strict=True) if output == twice[0])
        raise ValueError(f"model.outputs expects an output for each class, got {twice[0]} for {same}.")
    return found


def relabel_for_head(network: nn.Module, data: ImageData) -> None:
    """Give the data the labels of a network with a kept head, where its outputs are not the data's classes in order.

    Raises:
        ValueError: a class has no output; see `output_indices`.
    """
    head = head_of(network)
    if head is None or not head.kept or data.relabelled:
        return
    found = output_indices(head, data.classes)
    if head.given is None and not any(head.outputs_called(name) for name in data.classes):
        LOG.warning(
            "The network's outputs are not known by the names of the data's classes and are taken in the data's order: "
            "output 0 for %r, output 1 for %r, and so on; model.outputs= says otherwise.",
            *data.classes[:2],
        )
    if found != list(range(head.size)):
        data.relabel(found, output_names(head, data.classes, found))


def output_names(head: Head, classes: Sequence[str], found: Sequence[int]) -> list[str]:
    """Return a name for every output: the data's name where the data has the class, else the head's.

    Names that occur twice get the number of their output.
    """
    names = [each.split(",")[0].strip() for each in head.names] or [f"output {i}" for i in range(head.size)]
    for output, name in zip(found, classes, strict=True):
        names[output] = name
    times, own = Counter(names), set(found)
    return [name if times[name] == 1 or i in own else f"{name} (output {i})" for i, name in enumerate(names)]


def _find_outputs(head: Head, classes: Sequence[str]) -> list[int]:
    found = [head.outputs_called(name) for name in classes]
    if head.size == len(classes) and not any(found):
        return list(range(head.size))
    for name, indices in zip(classes, found, strict=True):
        if len(indices) != 1:
            raise _unknown(name, indices, head)
    return [indices[0] for indices in found]


def _plain(name: str) -> str:
    return " ".join(str(name).lower().replace("_", " ").split())


def _unknown(name: str, indices: Sequence[int], head: Head) -> ValueError:
    """The error about a class whose output is not known: none or several have its name."""
    near = get_close_matches(_plain(name), list(head.lookup), n=3)
    return ValueError(
        (
            f"class {name!r} could be the outputs {' and '.join(map(str, indices))} of the network"
            if indices
            else f"no output of the network is called {name!r}" + (f"; near names: {', '.join(near)}" if near else "")
            if head.names or head.wordnet_ids
            else f"the network's {head.size} outputs have no names, so that no output is known for class {name!r}"
        )
        + "; give model.outputs=: the output of each class, as a list or the path of a table with class and output."
    )


def _read_outputs(head: Head, classes: Sequence[str]) -> list[int]:
    given = _read_file(head.given) if isinstance(head.given, str) else head.given
    if isinstance(given, Mapping):
        absent = [name for name in classes if name not in given]
        if absent:
            raise ValueError(f"model.outputs expects an output for each class, got none for {absent[0]!r}.")
        given = [given[name] for name in classes]
    if not isinstance(given, Sequence) or len(given) != len(classes):
        got = f"{len(given)} outputs" if isinstance(given, Sequence) else repr(given)
        raise ValueError(f"model.outputs expects one output for each of the data's {len(classes)} classes, got {got}.")
    return [_output(each, head) for each in given]


def _output(each: Any, head: Head) -> int:
    """One output by number, name or WordNet id."""
    if isinstance(each, int) or str(each).strip().lstrip("-").isdigit():
        if not 0 <= int(each) < head.size:
            raise ValueError(f"model.outputs expects numbers from 0 to {head.size - 1}, got {each}.")
        return int(each)
    found = head.outputs_called(str(each))
    if len(found) != 1:
        raise _unknown(str(each), found, head)
    return found[0]


def _read_file(path: str) -> Any:
    """The outputs in a file: JSON, a table with the columns class and output, or one output a line."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"model.outputs expects a list or a readable text file, got {path} ({error}).") from error
    if Path(path).suffix == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"model.outputs expects JSON in {path}, got what cannot be read ({error}).") from error
    rows = list(csv.DictReader(text.splitlines()))
    if rows and {"class", "output"} <= set(rows[0]):
        return {row["class"]: row["output"] for row in rows}
    return [line.strip() for line in text.splitlines() if line.strip()]
