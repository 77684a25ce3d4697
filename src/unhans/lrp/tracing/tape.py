"""The tape: every tensor operation that a model ran on an input, as nodes that know what they were computed from.

PyTorch reduces modules, functions and methods, in-place or not, to a few hundred operations (`torch.ops.aten`). A
tape of these knows what depends on the input, through any Python code: no canonizer, no symbolic trace.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from unhans.lrp.numerics import TooLargeError
from unhans.lrp.tracing.aten import UnsupportedModelError
from unhans.lrp.tracing.decompositions import Stepwise
from unhans.lrp.tracing.eval_view import working_view


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

    @property
    def place(self) -> str:
        """The module that was running, as it stands in a sentence."""
        return f" at {self.module!r}" if self.module else ""

    def __str__(self) -> str:
        return f"aten.{self.kind}{self.place}"


@dataclass(frozen=True)
class Tape:
    """What a model ran: all nodes in the order of computation, and the outputs of its modules by path."""

    input: Node
    output: Node
    nodes: list[Node]
    layers: dict[str, list[Node]]
    ends: dict[str, int]  # at which position every module that ran had ended
    strided: bool  # whether the model itself strode over memory


Memory = tuple[Any, ...]

VALUE_FREE = {"new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like",
              "new_empty_strided"}  # fmt: skip  # they read no more than a shape and a type
SUMS_OF_PRODUCTS = {
    torch.ops.aten.addcmul.default: torch.ops.aten.add.Tensor,
    torch.ops.aten.addcmul_.default: torch.ops.aten.add_.Tensor,
}


def record(model: nn.Module, inputs: Tensor, limit: float = float("inf")) -> Tape:
    """Run the model on the inputs in evaluation mode and return the tape; the model is not written.

    Args:
        model: any network.
        inputs: (n, …) as it takes them.
        limit: bytes that the tape may hold.

    Raises:
        UnsupportedModelError: naming what cannot be followed.
        TooLargeError: as soon as the tape holds more bytes.
    """
    view, steps = working_view(model, inputs.dtype), Stepwise()
    recorder = Recorder(model, inputs, limit, steps)
    with recorder.hooked(view), steps, recorder:
        result = view(recorder.copy)
    return recorder.finish(result, type(model).__name__)


class Recorder(TorchDispatchMode):
    """Records the operations on tensors that depend on the input.

    A tensor is known by its place in memory and by how often that memory was written: two views that read the same
    elements are one value, and a view of memory that was overwritten through another view is refused.
    """

    def __init__(self, model: nn.Module, inputs: Tensor, limit: float, steps: Stepwise) -> None:
        super().__init__()
        self.copy = inputs.clone()  # the model may overwrite it
        self.input = Node(shape=inputs.shape, _value=inputs)
        self.nodes: list[Node] = []
        self.layers: dict[str, list[Node]] = defaultdict(list)
        self.ends: dict[str, int] = {}
        self.strided = False
        self._steps = steps
        self._path: list[str] = []
        self._writes: dict[int, int] = defaultdict(int)  # by storage
        self._at: dict[Memory, Node] = {}
        self._in: dict[int, list[Node]] = defaultdict(list)  # all nodes whose value lies in a storage
        self._constants: dict[int, list[Node]] = defaultdict(list)  # the nodes that read a constant in a storage
        self._held: list[Tensor] = []  # so that no storage's address is used twice
        self._live = {storage(t) for t in (*model.parameters(), *model.buffers())}
        self._left = limit
        self._register(self.copy, self.input)

    def hooked(self, view: nn.Module) -> ExitStack:
        """Keep track of the running module, by hooks on the view, which is ours; undone when the stack is left."""
        stack = ExitStack()
        for path, module in view.named_modules():
            for handle in (
                module.register_forward_pre_hook(partial(self._enter, path)),
                module.register_forward_hook(partial(self._leave, path)),
            ):
                stack.callback(handle.remove)
        return stack

    def finish(self, result: Any, name: str) -> Tape:
        """Return the tape that ends with this result of the model."""
        output = self._node(result)
        if output is None:
            raise UnsupportedModelError(f"LRP expects logits that depend on the input, {name} returned a constant.")
        return Tape(self.input, output, self.nodes, dict(self.layers), self.ends, self.strided)

    def __torch_dispatch__(self, func: OpOverload, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation; remember it if it reads what depends on the input."""
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        if name == "detach":
            return func(*args, **kwargs)  # the same elements, the same node
        if func is torch.ops.aten._softmax.default and self._steps.masked_softmax:
            return self.__torch_dispatch__(torch.ops.aten._safe_softmax.default, types, args[:2])
        if func is torch.ops.aten._convolution.default:  # of a traced network; what follows are cuDNN's settings
            return self.__torch_dispatch__(torch.ops.aten.convolution.default, types, args[:9])
        if func in SUMS_OF_PRODUCTS:
            return self._in_two(SUMS_OF_PRODUCTS[func], types, *args, **kwargs)
        written = list(_written(func, args, kwargs))
        sources = tree_map(lambda leaf: self._node(leaf) or leaf if isinstance(leaf, Tensor) else leaf, (args, kwargs))
        depends = name not in VALUE_FREE and any(isinstance(leaf, Node) for leaf in tree_leaves(sources))
        self._refuse(func, args, written)
        sources = self._preserved({storage(tensor) for tensor in written}, sources)
        result = func(*args, **kwargs)
        for tensor in written:
            self._writes[storage(tensor)] += 1
            for node in self._in.get(storage(tensor), ()):
                node.overwritten()
        self.strided |= depends and name == "as_strided"  # in place it is PyTorch's own, after pooling
        if depends:
            self._remember(functional(func) if written else func, sources, result)
        elif any(storage(tensor) in self._in for tensor in written):
            self._remember(functional(func), sources, result)
        return result

    def _in_two(
        self, add: OpOverload, types: Any, added: Tensor, first: Tensor, second: Tensor, *, value: float = 1
    ) -> Tensor:
        """Run added + value · first · second as a product and a sum, which there are rules for."""
        product = self.__torch_dispatch__(torch.ops.aten.mul.Tensor, types, (first, second))
        result = self.__torch_dispatch__(add, types, (added, product), {"alpha": value})
        node = self._at.get(self._memory(product))
        if node is not None:
            node.overwritten()  # it has no history of autograd; computed again it has
        return result

    def _refuse(self, func: OpOverload, args: Any, written: Iterable[Tensor]) -> None:
        """Stop before the live model would be written, and where chance would decide."""
        training = func.overloadpacket.__name__.endswith("batch_norm") and args[5] is True and args[3] is not None
        if training or any(storage(tensor) in self._live for tensor in written):
            raise UnsupportedModelError(f"LRP never writes a model, but {self._place(func)} writes one of its tensors.")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise UnsupportedModelError(f"LRP expects a model without chance, got {self._place(func)}.")

    def _remember(self, func: OpOverload, sources: Any, result: Any) -> None:
        """Make a node of every tensor that came out."""
        several = isinstance(result, (tuple, list))
        first: Node | None = None
        for index, tensor in enumerate(result if several else [result]):
            if isinstance(tensor, Tensor):
                node = Node(func, *sources, index if several else None, self._path[-1] if self._path else "")
                node.position = len(self.nodes)
                node.shape, node.floating = tensor.shape, tensor.is_floating_point()
                node.keep(tensor)
                if first is not None:
                    first.further.append(node)
                first = first or node
                self.nodes.append(node)
                self._register(tensor, node)
                for constant in _tensors(sources):
                    self._constants[storage(constant)].append(node)

    def _register(self, tensor: Tensor, node: Node) -> None:
        self._at[self._memory(tensor)] = node
        if storage(tensor) not in self._in:
            self._left -= tensor.untyped_storage().nbytes()
        self._in[storage(tensor)].append(node)
        self._held.append(tensor)
        if self._left < 0:
            raise TooLargeError

    def _preserved(self, places: set[int], sources: Any) -> Any:
        """The sources, with copies of the constants that are about to be written; older nodes get copies as well."""

        def kept(leaf: Any) -> Any:
            return leaf.clone() if isinstance(leaf, Tensor) and storage(leaf) in places else leaf

        for node in [node for place in places for node in self._constants.pop(place, ())]:
            node.arguments, node.options = tree_map(kept, (node.arguments, node.options))
        return tree_map(kept, sources) if places else sources

    def _node(self, tensor: Tensor) -> Node | None:
        """The node of a tensor that depends on the input."""
        node = self._at.get(self._memory(tensor))
        if node is not None:
            if node is not self.input:
                node.keep(tensor)  # the same elements; this object has the history of autograd
            return node
        if storage(tensor) in self._in and tensor.numel():
            last = self._in[storage(tensor)][-1]
            raise UnsupportedModelError(
                f"LRP cannot follow the in-place operation {last}: its memory is read through another view later."
            )
        return None

    def _memory(self, tensor: Tensor) -> Memory:
        place = storage(tensor)
        return place, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype, self._writes[place]

    def _place(self, func: OpOverload) -> str:
        return str(Node(func, module=self._path[-1] if self._path else ""))

    def _enter(self, path: str, module: nn.Module, args: Any) -> None:
        self._path.append(path)

    def _leave(self, path: str, module: nn.Module, args: Any, result: Any) -> None:
        self._path.pop()
        self.ends[path] = len(self.nodes)
        node = self._node(result) if isinstance(result, Tensor) else None
        if node is not None:
            self.layers[path].append(node)


def storage(tensor: Tensor) -> int:
    """Return what identifies the memory of a tensor as long as it lives."""
    try:
        return tensor.untyped_storage()._cdata
    except NotImplementedError as error:
        raise UnsupportedModelError(f"LRP expects dense tensors, got one of layout {tensor.layout}.") from error


def functional(func: OpOverload) -> OpOverload:
    """Return the operation that computes what this in-place one writes."""
    name, overload = func.overloadpacket.__name__.rstrip("_"), func._overloadname
    packet = getattr(torch.ops.aten, name, None)
    if packet is None or overload not in packet.overloads():
        raise UnsupportedModelError(f"LRP has no rule for the operation aten.{func.overloadpacket.__name__}.")
    return getattr(packet, overload)


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _written(func: OpOverload, args: Any, kwargs: Any) -> Iterator[Tensor]:
    """The tensors that an operation overwrites, by its schema."""
    if not func._schema.is_mutable:
        return
    for index, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            given = args[index] if index < len(args) else kwargs.get(argument.name)
            yield from _tensors(given)
