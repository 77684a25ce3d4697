"""Where relevance is kept and where it is lost: f_k = ΣR_input + what biases, ε and others absorb ([003] §2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unhans.lrp.operations import Linear, Operation
from unhans.lrp.propagation import Plan
from unhans.lrp.rules import Epsilon
from unhans.lrp.tracing import Node, Tape

NUMBERS = ("arrived", "passed", "bias", "epsilon")


@dataclass(frozen=True)
class Balance:
    """One step of relevance, summed over a batch: what arrived = passed on + bias + ε + other.

    `epsilon` is the share of the stabiliser and of outputs that are zero; `other` is what constants in sums and
    concatenations keep, and what a rule drops, such as z⁺ at an output without a positive contribution.
    """

    layer: str
    operation: str
    rule: str
    arrived: float
    passed: float
    bias: float
    epsilon: float

    @property
    def other(self) -> float:
        """What neither the inputs nor bias and ε took."""
        return self.arrived - self.passed - self.bias - self.epsilon

    def plus(self, step: Balance) -> Balance:
        """Return the sum with the same step of another batch."""
        numbers = {name: getattr(self, name) + getattr(step, name) for name in NUMBERS}
        return replace(self, **numbers)


@dataclass(frozen=True)
class Conservation:
    """The books of a batch.

    Attributes:
        logits: (n,) of the targets.
        relevance: (n,) sums of the input's relevance.
        steps: the balance of every step, the input's first.
        absolute: (n,) sums of the input's |R|. Sums can agree with logits while positive and negative relevance grow
            without bound and cancel; this shows it.
    """

    logits: Tensor
    relevance: Tensor
    steps: Sequence[Balance]
    absolute: Tensor

    def __add__(self, other: Conservation) -> Conservation:
        """Return the books of both batches, which took the same steps."""
        ours, theirs = ([(b.layer, b.operation, b.rule) for b in books.steps] for books in (self, other))
        if ours != theirs:
            raise ValueError("Conservation adds batches that took the same steps, got a model that ran differently.")
        return Conservation(
            torch.cat([self.logits, other.logits]),
            torch.cat([self.relevance, other.relevance]),
            [a.plus(b) for a, b in zip(self.steps, other.steps, strict=True)],
            torch.cat([self.absolute, other.absolute]),
        )

    def __str__(self) -> str:
        """Say what reached the input and what absorbed the rest."""
        bias, epsilon, other = (self.said(amount) for amount in (self.bias, self.epsilon, self.other))
        reached, logits = (self.said(float(sums.double().sum())) for sums in (self.relevance, self.logits))
        return (
            f"In % of Σ |logits| (signs cancel in sums):\n"
            f"{len(self.logits)} logits sum to {logits}; {reached} reach the input, where Σ|R| is {self.magnitude:.3g} "
            f"times Σ |logits|.\n"
            f"Biases absorb {bias}, ε {epsilon}, other {other}: constants in sums and\n"
            "concatenations, and what rules drop, such as z⁺ where nothing contributes positively."
        )

    def percent(self, amount: float) -> float:
        """Return an amount of relevance in % of Σ |logits|."""
        return 100 * amount / self.scale if self.scale else 0.0

    def said(self, amount: float) -> str:
        """Return an amount of relevance in % of Σ |logits| as text."""
        return f"{round(self.percent(amount), 2) + 0.0:.2f} %"  # + 0.0: no minus before zero

    @property
    def scale(self) -> float:
        """Σ |logits|: what shares are measured against."""
        return float(self.logits.double().abs().sum())

    @property
    def deviation(self) -> float:
        """|Σ logits − Σ relevance| over Σ |logits|, 0 where all are 0."""
        lost = abs(float(self.logits.double().sum() - self.relevance.double().sum()))
        return lost / self.scale if self.scale else lost

    @property
    def magnitude(self) -> float:
        """Σ|R| of the input over Σ |logits|: about 1 where nothing cancels, large where relevance is noise; 0 of 0."""
        total = float(self.absolute.double().sum())
        return total / self.scale if self.scale else total

    @property
    def bias(self) -> float:
        """What biases absorbed."""
        return sum(step.bias for step in self.steps)

    @property
    def epsilon(self) -> float:
        """What ε absorbed."""
        return sum(step.epsilon for step in self.steps)

    @property
    def other(self) -> float:
        """What constants kept and rules dropped."""
        return sum(step.other for step in self.steps)


def balanced(tape: Tape, plan: Plan, start: Tensor) -> Conservation:
    """Send relevance from the output to the input and keep the books."""
    relevance = {tape.output: start}
    steps: list[Balance] = []
    for node in reversed(tape.nodes):
        above = relevance.pop(node, None)
        if above is not None:
            step = plan.steps[node]
            ledger: list[Tensor] = []
            books = {"ledger": ledger} if isinstance(step, Linear) else {}
            shares = list(step.relevance(node, above, **books))
            for source, share in shares:
                relevance[source] = relevance[source] + share if source in relevance else share
            steps.append(_balance(step, node, above, [share for _, share in shares], ledger))
        node.drop()
    found = relevance.get(tape.input, torch.zeros_like(tape.input.value))
    flat = found.flatten(1)
    return Conservation(start.sum(1), flat.sum(1), steps[::-1], flat.abs().sum(1))


def _balance(step: Operation, node: Node, above: Tensor, shares: Sequence[Tensor], ledger: Sequence[Tensor]) -> Balance:
    arrived, passed, bias = _total([above]), _total(shares), _total(ledger)
    stabilised = isinstance(step, Linear) and isinstance(step.rule, Epsilon)
    return Balance(
        layer=step.name if isinstance(step, Linear) else node.module,
        operation=step.kind if isinstance(step, Linear) else node.kind,
        rule=str(step.rule) if isinstance(step, Linear) else "",
        arrived=arrived,
        passed=passed,
        bias=bias,
        epsilon=arrived - passed - bias if stabilised else 0.0,
    )


def _total(tensors: Sequence[Tensor]) -> float:
    return float(sum(tensor.double().sum() for tensor in tensors))
