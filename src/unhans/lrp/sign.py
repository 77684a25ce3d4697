"""Which values are known to be non-negative without looking at them; z⁺ skips half of its work by it."""

from __future__ import annotations

from collections.abc import Sequence

from unhans.lrp import vocabulary as known
from unhans.lrp.node import Node

SIGNED_KERNELS = {"upsample_bicubic2d", "_upsample_bicubic2d_aa"}  # bicubic weights are negative in places
KEEPING = (
    known.KEEPING
    | known.AVERAGES
    | (known.RESAMPLING - SIGNED_KERNELS)
    | known.CASTS
    | known.OVERLAYING
    | set(known.MAX_POOLS)
    | set(known.ADAPTIVE_MAX_POOLS)
    | {"amax", "amin", "maximum", "minimum", "add", "mul", "sqrt", "where", "constant_pad_nd"}
)
CLAMPS = {"hardtanh", "clamp", "clamp_min"}


def non_negative(order: Sequence[Node]) -> set[Node]:
    """Return the nodes, of these in the order of computation, whose value is non-negative whatever the input."""
    found: set[Node] = set()
    for node in order:
        if _is_non_negative(node, found):
            found.add(node)
    return found


def _is_non_negative(node: Node, found: set[Node]) -> bool:
    if node.kind in known.NON_NEGATIVE | known.HOMOGENEOUS | {"_softmax", "_safe_softmax"}:
        return True
    if node.kind in CLAMPS:
        low = node.arguments[1] if len(node.arguments) > 1 else node.options.get("min", -1)
        return isinstance(low, (int, float)) and low >= 0
    if node.kind not in KEEPING:
        return False
    constants = _constants(node)
    return bool(node.sources) and all(source in found for source in node.sources) and constants


def _constants(node: Node) -> bool:
    """Tell whether all the constants that enter the value are non-negative numbers."""
    if node.kind == "constant_pad_nd":
        return (node.arguments[2] if len(node.arguments) > 2 else 0) >= 0
    if node.kind in ("add", "mul"):
        given = [*node.arguments, *node.options.values()]
        return all(isinstance(value, Node) or (isinstance(value, (int, float)) and value >= 0) for value in given)
    if node.kind in ("cat", "stack", "where", "maximum", "minimum"):
        return _all_nodes(node.arguments[0] if node.kind in ("cat", "stack") else node.arguments[1:])
    return True


def _all_nodes(values: Sequence[object]) -> bool:
    return all(isinstance(value, Node) for value in values)
