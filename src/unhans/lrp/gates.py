"""Which values weigh others and carry no signal themselves: relevance does not go to them (METHODS §1, "a gate")."""

from __future__ import annotations

from collections.abc import Iterable

from unhans.lrp import vocabulary as known
from unhans.lrp.node import Node

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
