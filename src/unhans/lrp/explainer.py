"""LRP: relevance of a model's inputs for chosen outputs."""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor, fx, nn

from unhans.lrp.composite import Composite, resolve
from unhans.lrp.graph import TRACING, Plan, trace
from unhans.lrp.rules import Rule

HALF = (torch.float16, torch.bfloat16)


class Explanation(NamedTuple):
    """Relevance of the inputs' shape, and the logits (n, C) of the same pass."""

    relevance: Tensor
    logits: Tensor


class LRP:
    """Layer-wise relevance propagation through any model that `torch.fx` can trace ([003] ch. 2; METHODS §1).

    The model is traced once, in evaluation mode, and never written: parameters are read at every call, so an
    explainer made before a training step explains the model after it. Half-precision models are explained in
    float32.

    Args:
        model: a network that takes one tensor and returns logits (n, C); compiled and DDP-wrapped ones are unwrapped.
        composite: the name of a composite, a list of (pattern, rule), or one rule for every layer.

    Raises:
        UnsupportedModelError: naming what cannot be traced or the operation that has no rule.
        ValueError: for an unknown composite or pattern.

    >>> model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> inputs = torch.ones(1, 3)
    >>> LRP(model, "epsilon").attribute(inputs, 0).shape
    torch.Size([1, 3])
    """

    def __init__(self, model: nn.Module, composite: str | Rule | Composite = "epsilon_plus_flat") -> None:
        self.model = model
        self.composite = resolve(composite)
        self._plan = trace(model, self.composite)

    def attribute(self, inputs: Tensor, target: int | Tensor | None = None) -> Tensor:
        """Return the relevance of the inputs, of their shape, for the logit of the target class of each sample.

        Args:
            inputs: (n, …) as the model takes them.
            target: one class, or (n,) classes; None for a model with one output.
        """
        return self.explain(inputs, target).relevance

    def explain(self, inputs: Tensor, target: int | Tensor | None = None) -> Explanation:
        """Return the relevance as `attribute` does, and the logits."""
        with ExitStack() as stack:
            stack.enter_context(TRACING)
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
            stack.enter_context(torch.autocast(inputs.device.type, enabled=False))
            x = inputs.detach().clone() if inputs.is_inference() else inputs.detach()
            values = forward(self._plan, x.to(self._dtype(x)))
            logits = values[self._plan.output]
            relevance = backward(self._plan, values, start_relevance(logits, target))
            return Explanation(relevance.to(inputs.dtype) if inputs.is_floating_point() else relevance, logits)

    def _dtype(self, inputs: Tensor) -> torch.dtype:
        """The wider of the inputs' and the parameters' types, at least float32."""
        dtype = inputs.dtype if inputs.is_floating_point() else torch.float32
        for parameter in self.model.parameters():
            dtype = torch.promote_types(dtype, parameter.dtype)
        return torch.float32 if dtype in HALF else dtype


def start_relevance(logits: Tensor, target: int | Tensor | None) -> Tensor:
    """Return zeros but for the logit of the target class (METHODS §1: the logit, never the softmax)."""
    if logits.dim() != 2:
        raise ValueError(f"LRP expects logits of shape (n, C), got {tuple(logits.shape)}.")
    n, classes = logits.shape
    if target is None and classes > 1:
        raise ValueError(f"target: expected a class or (n,) classes for a model with {classes} outputs, got None.")
    index = torch.as_tensor(0 if target is None else target, device=logits.device)
    if index.is_floating_point() or index.shape not in ((), (n,)):
        raise ValueError(
            f"target: expected a class or ({n},) classes as integers, got {index.dtype} of shape {tuple(index.shape)}."
        )
    index = index.long().expand(n)
    if n and not 0 <= int(index.min()) <= int(index.max()) < classes:
        raise ValueError(f"target: expected classes 0 to {classes - 1}, got {int(index.min())} to {int(index.max())}.")
    return torch.zeros_like(logits).scatter(1, index[:, None], logits.gather(1, index[:, None]))


def forward(plan: Plan, inputs: Tensor) -> dict[fx.Node, Tensor]:
    """Return the value of every node of the plan."""
    values = {plan.input: inputs}
    for step in plan.steps:
        values[step.node] = step.operation.forward(*[values[node] for node in step.inputs])
    return values


def backward(plan: Plan, values: dict[fx.Node, Tensor], start: Tensor) -> Tensor:
    """Return the relevance of the input; values are dropped as soon as they are done with."""
    relevance = {plan.output: start}
    for step in reversed(plan.steps):
        output, above = values.pop(step.node), relevance.pop(step.node, None)
        if above is None:
            continue  # a shape or a constant: no relevance came
        inputs = [values[node] for node in step.inputs]
        for node, share in zip(step.inputs, step.operation.relevance(inputs, output, above), strict=True):
            if share is not None:
                relevance[node] = relevance[node] + share if node in relevance else share
    return relevance[plan.input]
