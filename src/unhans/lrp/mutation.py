"""In-place operations of a graph, rewritten so that nothing is overwritten.

A model that activates x in place and reads x again reads the activated x; a graph knows values, not memory.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from torch import fx, nn

from unhans.lrp import vocabulary as known
from unhans.lrp.vocabulary import UnsupportedModelError, described


def _recorded(operation: Callable[..., Any]) -> Callable[[fx.Proxy, Any], fx.Proxy]:
    """Return the method of a proxy that records this operation."""
    return lambda proxy, other: proxy.tracer.create_proxy("call_function", operation, (proxy, other), {})


class Proxy(fx.Proxy):
    """Records x += y as what it is; torch.fx takes it for x + y, and forgets who else reads x."""

    __iadd__ = _recorded(operator.iadd)
    __isub__ = _recorded(operator.isub)
    __imul__ = _recorded(operator.imul)
    __itruediv__ = _recorded(operator.itruediv)


def out_of_place(graph: fx.Graph, view: nn.Module) -> None:
    """Let later readers of an overwritten tensor read the operation that overwrote it; clear the view's flags.

    Raises UnsupportedModelError where they read it through another view of the same memory.
    """
    modules = dict(view.named_modules())
    order = {node: position for position, node in enumerate(graph.nodes)}
    memory: dict[fx.Node, fx.Node] = {}  # the node whose memory holds the value
    for node in order:
        target = type(modules[node.target]) if node.op == "call_module" else node.target
        writes = _writes(node, modules)
        shares = writes or target in known.VIEWS
        memory[node] = memory[node.all_input_nodes[0]] if shares and node.all_input_nodes else node
        if writes and not _is_number(node):
            _redirect(node, order, [other for other in memory if memory[other] is memory[node] and other is not node])
    for module in modules.values():
        if "inplace" in vars(module):
            module.inplace = False


def _redirect(node: fx.Node, order: dict[fx.Node, int], aliases: list[fx.Node]) -> None:
    """Give the readers that come after this in-place operation its result."""

    def later(reader: fx.Node) -> bool:
        return order[reader] > order[node]

    node.all_input_nodes[0].replace_all_uses_with(node, delete_user_cb=later)
    for alias in aliases:
        if any(later(reader) for reader in alias.users):
            raise UnsupportedModelError(
                f"LRP cannot follow the in-place operation {described(node.target)} at {node.name!r}: it overwrites "
                f"the memory of {alias.name!r}, which is read again later."
            )


def _writes(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Tell whether the live model's operation overwrites its first input."""
    if node.op == "call_module":
        return bool(getattr(modules[str(node.target)], "inplace", False))
    if node.op == "call_method":
        return str(node.target).endswith("_")
    return node.op == "call_function" and (node.target in known.OUT_OF_PLACE or bool(node.kwargs.get("inplace")))


def _is_number(node: fx.Node) -> bool:
    """Tell arithmetic on shapes, which Python never does in place."""
    inputs = node.all_input_nodes
    return node.op.startswith("call_") and (known.is_shape(node) or (bool(inputs) and all(map(_is_number, inputs))))
