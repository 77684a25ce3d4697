"""The tape: every tensor operation that a model ran on an input, as nodes that know what they were computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves, tree_map


@dataclass(eq=False)
class Node:
    """A tensor that depends on the input: the operation that made it, and from what.

    `arguments` and `options` are those of the operation, with nodes in place of the tensors that depend on the input.
    The value is dropped where the model overwrites it, and computed again when it is asked for.
    """

    operation: OpOverload | None = None  # None: the input
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    output: int | None = None  # which output of an operation that has several
    module: str = ""  # path of the module that was running
    position: int = -1
    shape: Sequence[int] = ()
    floating: bool = True
    further: list[Node] = field(default_factory=list)  # of a first output: the others of the same run
    _value: Tensor | None = None

    @property
    def sources(self) -> list[Node]:
        """The nodes that the operation reads, each once."""
        leaves = tree_leaves((self.arguments, self.options))
        return list(dict.fromkeys(leaf for leaf in leaves if isinstance(leaf, Node)))

    @property
    def kind(self) -> str:
        """The name of the operation without its overload: "convolution", "relu"."""
        return "input" if self.operation is None else self.operation.overloadpacket.__name__

    @property
    def value(self) -> Tensor:
        """The tensor."""
        if self._value is None:
            self._value = self.call({node: node.value for node in self.sources})
        return self._value

    @property
    def held(self) -> bool:
        """Tell whether the value need not be computed."""
        return self._value is not None

    def call(self, values: dict[Node, Any]) -> Tensor:
        """Run the operation on these values of its sources."""
        at = partial(tree_map, lambda leaf: values.get(leaf, leaf) if isinstance(leaf, Node) else leaf)
        result = self.operation(*at(self.arguments), **at(self.options))  # type: ignore[misc]
        return result if self.output is None else result[self.output]

    def keep(self, value: Tensor) -> None:
        """Take this tensor as the value."""
        self._value = value

    def drop(self) -> None:
        """Forget the value, and with a first output those of the further ones."""
        if self.operation is not None and not self.output:
            for node in (self, *self.further):
                node._value = None

    def overwritten(self) -> None:
        """Forget the value that is no longer there; the input was copied for the model."""
        if self.operation is not None:
            self._value = None

    def __str__(self) -> str:
        place = f" at {self.module!r}" if self.module else ""
        return f"aten.{self.kind}{place}"


@dataclass(frozen=True)
class Tape:
    """What a model ran: all nodes in the order of computation, and the outputs of its modules by path."""

    input: Node
    output: Node
    nodes: list[Node]
    layers: dict[str, list[Node]]
    ends: dict[str, int]  # at which position every module that ran had ended
    strided: bool  # whether the model itself strode over memory
