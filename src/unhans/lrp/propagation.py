"""From a tape to the steps that relevance takes, each with its rule, and its way down from one node to another.

The tape, not a class name, tells residual additions and concatenations, gates, which convolution is first, and which
batch norm follows a linear layer. Where relevance meets an operation without a rule, it is refused with its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from unhans.lrp.canonization import fold, linear_of
from unhans.lrp.composites import NORMS, STATISTICAL, Composite, Place, check_used, rule_for
from unhans.lrp.dispatch import operation_of
from unhans.lrp.operations import ZERO, ByWeight, Equal, Linear, Operation, Passing, Proportional, Shares
from unhans.lrp.rules import Epsilon, Flat
from unhans.lrp.tracing import Node, Tape, gates_among, non_negative
from unhans.lrp.tracing import aten as known


def stabilise(steps: dict[Node, Operation], free: Iterable[Node] = ()) -> dict[Node, Operation]:
    """Return the steps with those exchanged that would divide by a value that may be near zero where R is not.

    Below flat, w² and z^B relevance is not in proportion to the activation, until a rule that is takes over. There sums
    take `Equal`, other operations in proportion `ByWeight`, average pooling flat, and norms pass relevance on (Achtibat
    et al. 2024, "AttnLRP"), each of which conserves it.
    """
    found: dict[Node, Operation] = {}
    free = set(free)  # their relevance does not vanish with their value
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
        return Passing(step.receivers)
    if isinstance(step, Linear) and step.rule == ZERO and step.kind == "average_pool":
        return replace(step, rule=Flat())
    return step


@dataclass(frozen=True)
class Plan:
    """The operations that relevance passes, by the node where each begins, in the order of computation.

    `ends` tells for a node that was folded into a later one where its relevance is to be found.
    """

    steps: dict[Node, Operation]
    ends: dict[Node, Node]


def plan_relevance(tape: Tape, composite: Composite, start: Node, free: bool = False) -> Plan:
    """Return the steps that relevance takes from the start to the input.

    Args:
        tape: what the model ran.
        composite: the rules.
        start: where relevance starts.
        free: whether the relevance there is not in proportion to the value; see `stabilise`.

    Raises:
        UnsupportedModelError: an operation has no rule.
        ValueError: a pattern of the composite matches nothing.
    """
    order = sorted(_ancestors(start), key=lambda node: node.position)
    users = Counter(source for node in order for source in node.sources)
    steps: dict[Node, Operation] = {}
    ends: dict[Node, Node] = {}
    gates, reached = gates_among(order), {start}
    for node in reversed(order):
        if node in reached and node is not tape.input:
            steps[node], chain = fold(node, users) or (operation_of(node, gates), [])
            ends.update(dict.fromkeys(chain, node))
            reached.update(steps[node].receivers)
    outputs = _outputs(steps) if start is tape.output else set()
    ruled = _with_rules(steps, ends, order, composite, tape, outputs)
    return Plan(stabilise(ruled, [start] if free else ()), ends)


def _ancestors(node: Node) -> set[Node]:
    """The node and all that it was computed from."""
    found, waiting = {node}, [node]
    while waiting:
        new = set(waiting.pop().sources) - found
        found |= new
        waiting.extend(new)
    return found


def _with_rules(
    steps: dict[Node, Operation],
    ends: dict[Node, Node],
    order: Sequence[Node],
    composite: Composite,
    tape: Tape,
    outputs: set[Node],
) -> dict[Node, Operation]:
    """Give every linear layer its rule by its place."""
    depth, positive = _depths(steps), non_negative(order)
    bases = {node: node for node in steps} | {ends[base]: base for base in ends if linear_of(base) is not None}
    places: dict[Node, Place] = {}
    for node, step in steps.items():
        if isinstance(step, Linear):
            first = depth[node] if _weighs(step) else max(1, depth[node])
            places[node] = Place(step.kind, step.name, first, bases[node].position, tape.ends, node in outputs)
    check_used(composite, sorted(places.values(), key=lambda place: place.position), tape.ends)
    found = dict(steps)
    for node, place in places.items():
        rule = rule_for(composite, place)
        if place.operation in STATISTICAL and not isinstance(rule, Epsilon):
            raise ValueError(f"The {place.operation} {place.name!r} takes the rule epsilon only, got {rule}.")
        found[node] = replace(steps[node], rule=rule, non_negative=steps[node].x in positive)
    return found


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


def propagate(
    tape: Tape,
    plan: Plan,
    begin: Node,
    end: Node,
    start: Tensor,
    last: bool = True,
    see: Mapping[Node, Callable[[Tensor], None]] | None = None,
    take: Callable[[Operation, Node, Tensor], Shares] = lambda step, node, above: step.relevance(node, above),
) -> Tensor:
    """Return the relevance of a node for that of another.

    Args:
        tape, plan: what the model ran, and the steps that relevance takes.
        begin, end: the nodes where relevance starts and ends.
        start: the relevance of `begin`.
        last: drop values as soon as they are used.
        see: is called with the relevance of nodes on the way, which is to be used up at once: steps below may write
            into it.
        take: takes one step, from the relevance of its node to that of the receivers.

    Raises:
        ValueError: no relevance reaches one of the nodes.
    """
    relevance, see = {begin: start}, see or {}
    for node in reversed(tape.nodes[end.position + 1 : begin.position + 1]):
        if node in see:
            see[node](_reached(relevance, node))
        above = relevance.pop(node, None)
        if above is not None:
            for source, share in take(plan.steps[node], node, above):
                relevance[source] = relevance[source] + share if source in relevance else share
        if last:
            node.drop()
    return _reached(relevance, end)


def _reached(relevance: Mapping[Node, Tensor], node: Node) -> Tensor:
    if node not in relevance:
        raise ValueError(f"No relevance reaches {node}: it only weighs other values, or lies behind the start.")
    return relevance[node]
