"""Relevance on its way from one node of a tape to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from unhans.lrp.node import Node, Tape
from unhans.lrp.plan import Plan

See = Callable[[Tensor], None]


def propagate(tape: Tape, plan: Plan, begin: Node, end: Node, start: Tensor, last: bool = True) -> Tensor:
    """Return the relevance of a node for that of another; with `last` values are dropped as soon as they are used."""
    found: list[Tensor] = []
    propagate_through(tape, plan, begin, {end: found.append}, start, last)
    return found[0]


def propagate_through(
    tape: Tape, plan: Plan, begin: Node, ends: Mapping[Node, See], start: Tensor, last: bool = True
) -> None:
    """Send relevance down to the lowest of several nodes, and show each of these nodes its relevance on the way.

    The steps below a node may write into its relevance, so what it is shown is to be used up at once; that of the
    lowest node is nobody else's. Raises ValueError where no relevance reaches a node.
    """
    relevance = {begin: start}
    lowest = min(ends, key=lambda end: end.position)
    for node in reversed(tape.nodes[: begin.position + 1]):
        if node is lowest:
            break
        if node in ends:
            ends[node](_reached(relevance, node))
        above = relevance.pop(node, None)
        if above is not None:
            for source, share in plan.steps[node].relevance(node, above):
                relevance[source] = relevance[source] + share if source in relevance else share
        if last:
            node.drop()
    ends[lowest](_reached(relevance, lowest))


def _reached(relevance: Mapping[Node, Tensor], node: Node) -> Tensor:
    if node not in relevance:
        raise ValueError(f"No relevance reaches {node}: it only weighs other values, or lies behind the start.")
    return relevance[node]
