"""Where relevance does not vanish with the activation, and what must then not divide by it."""

from __future__ import annotations

from dataclasses import replace

from unhans.lrp import vocabulary as known
from unhans.lrp.composite import NORMS
from unhans.lrp.node import Node
from unhans.lrp.operations import ZERO, ByWeight, Equal, Linear, Operation, Passing, Proportional
from unhans.lrp.rules import Flat


def stabilised(steps: dict[Node, Operation]) -> dict[Node, Operation]:
    """Return the steps with those exchanged that would divide by a value that may be near zero where R is not.

    Below flat, w² and z^B relevance is not in proportion to the activation, until a rule that is takes over. There sums
    take `Equal`, other operations in proportion `ByWeight`, average pooling flat, and norms pass relevance on (Achtibat
    et al. 2024, "AttnLRP"), each of which conserves it.
    """
    found: dict[Node, Operation] = {}
    free: set[Node] = set()  # their relevance does not vanish with their value
    for node in sorted(steps, key=lambda node: -node.position):
        step = found[node] = _by_weight(node, steps[node]) if node in free else steps[node]
        if not getattr(step.rule, "proportional", True) if isinstance(step, Linear) else node in free:
            free.update(step.receivers)
    return found


def _by_weight(node: Node, step: Operation) -> Operation:
    """A step that does not divide by the value."""
    if isinstance(step, Proportional):
        return Equal(step.receivers) if node.kind in known.SUMS else ByWeight(step.receivers)
    if isinstance(step, Linear) and step.rule == ZERO and step.kind in NORMS:
        return Passing(step.x)
    if isinstance(step, Linear) and step.rule == ZERO and step.kind == "average_pool":
        return replace(step, rule=Flat())
    return step
