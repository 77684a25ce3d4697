"""Relevance on its way from one node of a tape to another."""

from __future__ import annotations

from torch import Tensor

from unhans.lrp.node import Node, Tape
from unhans.lrp.plan import Plan


def propagate(tape: Tape, plan: Plan, begin: Node, end: Node, start: Tensor, last: bool = True) -> Tensor:
    """Return the relevance of a node for that of another; with `last` values are dropped as soon as they are used."""
    relevance = {begin: start}
    for node in reversed(tape.nodes[: begin.position + 1]):
        if node is end:
            break
        above = relevance.pop(node, None)
        if above is not None:
            for source, share in plan.steps[node].relevance(node, above):
                relevance[source] = relevance[source] + share if source in relevance else share
        if last:
            node.drop()
    found = relevance.get(end)
    if found is None:
        raise ValueError(f"No relevance reaches {end}: it only weighs other values, or lies behind the start.")
    return found
