"""From a tape to the steps that relevance takes, each with its rule.

The tape, not a class name, tells residual additions and concatenations, gates, which convolution is first, and which
batch norm follows a linear layer. Where relevance meets an operation without a rule, it is refused with its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from unhans.lrp.choice import operation_of
from unhans.lrp.composite import STATISTICAL, Composite, Place, check_used, rule_for
from unhans.lrp.folding import folded, weighted
from unhans.lrp.gates import gates_among
from unhans.lrp.independence import stabilised
from unhans.lrp.node import Node, Tape
from unhans.lrp.operations import Linear, Operation
from unhans.lrp.rules import Epsilon
from unhans.lrp.sign import non_negative


@dataclass(frozen=True)
class Plan:
    """The operations that relevance passes, by the node where each begins, in the order of computation.

    `ends` tells for a node that was folded into a later one where its relevance is to be found.
    """

    steps: dict[Node, Operation]
    ends: dict[Node, Node]


def planned(tape: Tape, composite: Composite, start: Node) -> Plan:
    """Return the steps that relevance takes from the start to the input.

    Raises UnsupportedModelError for an operation without a rule, ValueError for a pattern that matches nothing.
    """
    needed = _ancestors(start)
    users = Counter(source for node in needed for source in node.sources)
    steps: dict[Node, Operation] = {}
    ends: dict[Node, Node] = {}
    gates = gates_among(sorted(needed, key=lambda node: node.position))
    reached = {start}
    for node in sorted(needed, key=lambda node: -node.position):
        if node in reached and node is not tape.input:
            steps[node] = _operation(node, users, ends, gates)
            reached.update(steps[node].receivers)
    outputs = _outputs(steps) if start is tape.output else set()
    return Plan(stabilised(_with_rules(steps, ends, needed, composite, tape, outputs)), ends)


def _ancestors(node: Node) -> set[Node]:
    """The node and all that it was computed from."""
    found, waiting = {node}, [node]
    while waiting:
        new = set(waiting.pop().sources) - found
        found |= new
        waiting.extend(new)
    return found


def _operation(node: Node, users: Counter[Node], ends: dict[Node, Node], gates: set[Node]) -> Operation:
    """How relevance goes back through a node."""
    found = folded(node, users)
    if found is not None:
        layer, chain = found
        ends.update(dict.fromkeys(chain, node))
        return layer
    return operation_of(node, gates)


def _with_rules(
    steps: dict[Node, Operation],
    ends: dict[Node, Node],
    needed: Iterable[Node],
    composite: Composite,
    tape: Tape,
    outputs: set[Node],
) -> dict[Node, Operation]:
    """Give every linear layer its rule by its place."""
    depth, positive = _depths(steps), non_negative(sorted(needed, key=lambda node: node.position))
    bases = {node: node for node in steps} | {ends[base]: base for base in ends if weighted(base) is not None}
    places: dict[Node, Place] = {}
    for node, step in steps.items():
        if isinstance(step, Linear):
            first = depth[node] if _weighs(step) else max(1, depth[node])
            places[node] = Place(step.kind, step.name, first, bases[node].position, tape.ends, node in outputs)
    check_used(composite, sorted(places.values(), key=lambda place: place.position), tape.ends)
    for place in places.values():
        rule = rule_for(composite, place)
        if place.operation in STATISTICAL and not isinstance(rule, Epsilon):
            raise ValueError(f"The {place.operation} {place.name!r} takes the rule epsilon only, got {rule}.")
    return {
        node: replace(step, rule=rule_for(composite, places[node]), non_negative=step.x in positive)
        if isinstance(step, Linear)
        else step
        for node, step in steps.items()
    }


def _depths(steps: dict[Node, Operation]) -> dict[Node, int]:
    """How many dense and convolutional layers lie on relevance's longest way from the input to each node."""
    depth: dict[Node, int] = {}
    for node in sorted(steps, key=lambda node: node.position):
        step = steps[node]
        depth[node] = max((depth.get(source, 0) for source in step.receivers), default=0) + _weighs(step)
    return depth


def _outputs(steps: dict[Node, Operation]) -> set[Node]:
    """The dense and convolutional layers whose output no other one reads: the network's head."""
    found: set[Node] = set()
    read: set[Node] = set()
    for node in sorted(steps, key=lambda node: -node.position):
        weighs = _weighs(steps[node])
        if weighs and node not in read:
            found.add(node)
        if weighs or node in read:
            read.update(steps[node].receivers)
    return found


def _weighs(step: Operation) -> bool:
    return isinstance(step, Linear) and step.kind in ("convolution", "dense")
