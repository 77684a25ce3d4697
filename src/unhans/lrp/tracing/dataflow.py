"""Which values weigh others and carry no signal themselves: relevance does not go to them (METHODS §1, "a gate").

Which operations read the input first. Which values are known to be non-negative without looking at them; z⁺ skips half
of its work by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unhans.lrp.tracing import aten as known
from unhans.lrp.tracing.tape import Node, Tape

WEIGHTS_OF_WEIGHTS = (
    known.KEEPING
    | known.CASTS
    | known.MULTIPLICATIONS
    | known.DIVISIONS
    | known.SUMS
    | known.AVERAGES
    | {"masked_fill", "where", "clamp", "clamp_min", "clamp_max", "copy"}
)

MIXING = WEIGHTS_OF_WEIGHTS | known.PRODUCTS | known.CONVOLUTIONS  # of the heads of attention


def gates_among(order: Iterable[Node]) -> set[Node]:
    """Return the nodes that weigh others and carry no signal: probabilities, sigmoids, norms, comparisons, their like.

    Attention whose heads are mixed by a matrix or a 1×1 convolution after the softmax, as in CaiT, is attention still.
    """
    found: set[Node] = set()
    attention: set[Node] = set()
    for node in order:
        of_weights = bool(node.sources) and found.issuperset(node.sources)
        of_attention = bool(node.sources) and attention.issuperset(node.sources)
        made_of = node.kind in WEIGHTS_OF_WEIGHTS and of_weights
        if node.kind in known.ATTENTION or (node.kind in MIXING and of_attention):
            attention.add(node)
        if node.kind in known.GATES or not node.floating or made_of or node in attention:
            found.add(node)
    return found


MATRICES = {"mm", "addmm", "bmm", "baddbmm", "mv", "addmv"}


def first_readers(tape: Tape) -> tuple[list[Node], list[Node]]:
    """Return the convolutions and matrix products that read the input, or a rearrangement of it, and what else does."""
    raw, layers, others = {tape.input}, [], []
    for node in tape.nodes:
        if node is tape.input or not raw.intersection(node.sources):
            continue
        if node.kind in known.REROUTING | known.CASTS:
            raw.add(node)
        else:
            (layers if node.kind in known.CONVOLUTIONS | MATRICES else others).append(node)
    return layers, others


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
        values = node.arguments[0] if node.kind in ("cat", "stack") else node.arguments[1:]
        return all(isinstance(value, Node) for value in values)
    return True
