"""Where relevance is kept and where it is lost: f_k = ΣR_input + what biases, ε and others absorb ([003] §2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unhans.lrp.operations import Linear, Operation, Shares
from unhans.lrp.propagation import Plan, propagate
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

    def __repr__(self) -> str:
        absorbed = (f"{self.percent(amount):.3g} %" for amount in (self.bias, self.epsilon, self.other))
        return (
            f"Conservation of {len(self.logits)} samples over {len(self.steps)} steps, in % of Σ |logits|: "
            f"|Σ logits − Σ R| {100 * self.deviation:.3g} %, Σ|R| {100 * self.magnitude:.3g} %. "
            "Biases absorb {}, ε {}, other {}.".format(*absorbed)
        )

    def __add__(self, other: Conservation) -> Conservation:
        """Return the books of both batches, which took the same steps."""
        ours, theirs = ([(b.layer, b.operation, b.rule) for b in books.steps] for books in (self, other))
        if ours != theirs:
            raise ValueError("Conservation adds batches that took the same steps, got a model that ran differently.")
        return Conservation(
            torch.cat([self.logits, other.logits]),
            torch.cat([self.relevance, other.relevance]),
            [
                replace(a, **{name: getattr(a, name) + getattr(b, name) for name in NUMBERS})
                for a, b in zip(self.steps, other.steps, strict=True)
            ],
            torch.cat([self.absolute, other.absolute]),
        )

    def percent(self, amount: float) -> float:
        """Return an amount of relevance in % of Σ |logits|."""
        return 100 * amount / self.scale if self.scale else 0.0

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


def conservation_of(tape: Tape, plan: Plan, start: Tensor) -> Conservation:
    """Send relevance from the output to the input and keep the books."""
    steps: list[Balance] = []

    def take(step: Operation, node: Node, above: Tensor) -> Shares:
        ledger: list[Tensor] = []
        linear = isinstance(step, Linear)
        shares = list(step.relevance(node, above, ledger) if linear else step.relevance(node, above))
        arrived, passed, bias = _total([above]), _total(share for _, share in shares), _total(ledger)
        layer = (step.name, step.kind, str(step.rule)) if linear else (node.module, node.kind, "")
        stabilised = linear and isinstance(step.rule, Epsilon)
        steps.append(Balance(*layer, arrived, passed, bias, arrived - passed - bias if stabilised else 0.0))
        return shares

    flat = propagate(tape, plan, tape.output, tape.input, start, take=take).flatten(1)
    return Conservation(start.sum(1), flat.sum(1), steps[::-1], flat.abs().sum(1))


def _total(tensors: Iterable[Tensor]) -> float:
    return float(sum(tensor.double().sum() for tensor in tensors))
