"""LRP: relevance of a model's inputs, or of any layer, for chosen outputs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor, nn

from unhans.lrp import vocabulary as known
from unhans.lrp.composite import Given, resolve, some
from unhans.lrp.plan import Plan, planned
from unhans.lrp.refusal import UnsupportedModelError
from unhans.lrp.tape import Node, Tape, record
from unhans.lrp.view import computing_dtype


class Explanation(NamedTuple):
    """Relevance of the inputs' (or the layer's) shape, and the logits (n, C) of the same pass."""

    relevance: Tensor
    logits: Tensor


class LRP:
    """Layer-wise relevance propagation through any PyTorch model ([003] ch. 2; METHODS §1).

    Every call runs the model once, in evaluation mode, and records what it computes; the model is never written, and
    a training step between two calls is seen. Half-precision models are explained in float32.

    Args:
        model: a network that takes one tensor and returns logits (n, C); compiled and DDP-wrapped ones are unwrapped.
        composite: the name of a composite, one rule for every layer, or a list of (what matches, rule), where a match
            is an operation (`"convolution"`, `"first convolution"`) or a mapping (see `Match`).

    Raises:
        ValueError: for an unknown composite, rule or pattern.

    >>> model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> LRP(model, "epsilon").attribute(torch.ones(1, 3)).shape
    torch.Size([1, 3])
    """

    def __init__(self, model: nn.Module, composite: Given = "epsilon_plus_flat") -> None:
        self.model = model
        self.composite = resolve(composite)
        self._channels_last = True

    def attribute(
        self,
        inputs: Tensor,
        target: int | Tensor | None = None,
        *,
        layer: str | None = None,
        start: Tensor | None = None,
        start_layer: str | None = None,
        create_graph: bool = False,
    ) -> Tensor:
        """Return the relevance of the inputs, of their shape, for the logit of the target class of each sample.

        Args:
            inputs: (n, …) as the model takes them.
            target: one class, (n,) classes, or (n, k) classes for k explanations of each sample, which come as
                (n, k, …); None for a model with one output.
            layer: path of a module whose output's relevance is returned in place of the inputs'. A module that runs
                several times is told apart as `path#0`, `path#1`. A layer that a batch norm follows at once shares
                its relevance.
            start: relevance to start from in place of the target's logit, of the shape of the output.
            start_layer: path of the module at whose output relevance starts; needs `start`, a concept there.
            create_graph: make the relevance differentiable by the parameters, and by inputs that require it.

        Raises:
            UnsupportedModelError: naming what cannot be followed or the operation that has no rule.
            ValueError: for a bad target, start, layer, or a composite's pattern that matches nothing.
        """
        return self.explain(
            inputs, target, layer=layer, start=start, start_layer=start_layer, create_graph=create_graph
        ).relevance

    def explain(
        self,
        inputs: Tensor,
        target: int | Tensor | None = None,
        *,
        layer: str | None = None,
        start: Tensor | None = None,
        start_layer: str | None = None,
        create_graph: bool = False,
    ) -> Explanation:
        """Return the relevance as `attribute` does, and the logits."""
        if start_layer is not None and start is None:
            raise ValueError("start_layer needs start: the relevance of that layer's output.")
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.set_grad_enabled(create_graph))
            stack.enter_context(torch.autocast(inputs.device.type, enabled=False))
            tape = self._recorded(self._prepared(inputs, create_graph))
            begin = tape.output if start_layer is None else _layer(tape, start_layer)
            end = tape.input if layer is None else _layer(tape, layer)
            logits = tape.output.value
            starts = [start.to(begin.value)] if start is not None else starts_of(tape.output, target)
            if starts and starts[0].shape != begin.shape:
                raise ValueError(f"start expects shape {tuple(begin.shape)}, got {tuple(starts[0].shape)}.")
            plan = planned(tape, self.composite, begin)
            end = plan.ends.get(end, end)
            found = [propagate(tape, plan, begin, end, s, s is starts[-1] and not create_graph) for s in starts]
            several = isinstance(target, Tensor) and target.dim() == 2 and start is None
            relevance = torch.stack(found, 1) if several else found[0]
            return Explanation(relevance.to(inputs.dtype) if inputs.is_floating_point() else relevance, logits)

    def _recorded(self, inputs: Tensor) -> Tape:
        """The tape of the model on these inputs, with channels last where the model allows: convolutions like that.

        A model that views its feature maps as in their usual order raises; one that strides over memory would err.
        """
        if inputs.dim() == 4 and self._channels_last:
            try:
                tape = record(self.model, inputs.contiguous(memory_format=torch.channels_last))
            except RuntimeError:
                self._channels_last = False
            else:
                self._channels_last = not tape.strided
                if self._channels_last:
                    return tape
        return record(self.model, inputs)

    def _prepared(self, inputs: Tensor, create_graph: bool) -> Tensor:
        """The inputs in the type to compute in; apart from autograd's history unless that is wanted."""
        plain = inputs.clone() if inputs.is_inference() else inputs
        wide = plain.to(computing_dtype(self.model, plain))
        return wide if create_graph else wide.detach()


def starts_of(output: Node, target: int | Tensor | None) -> Sequence[Tensor]:
    """Return for each target of a sample zeros but for its logit (METHODS §1: the logit, never the softmax)."""
    logits = output.value
    if output.kind in known.PROBABILITIES:
        raise UnsupportedModelError(f"LRP expects logits, got probabilities from {output}.")
    if logits.dim() != 2:
        raise ValueError(f"LRP expects logits of shape (n, C), got {tuple(logits.shape)}.")
    n, classes = logits.shape
    if target is None and classes > 1:
        raise ValueError(f"target: expected a class or (n,) classes for a model with {classes} outputs, got None.")
    index = torch.as_tensor(0 if target is None else target, device=logits.device)
    if index.is_floating_point() or (index.shape not in ((), (n,)) and (index.dim() != 2 or len(index) != n)):
        raise ValueError(
            f"target: expected a class or ({n},) classes as integers, got {index.dtype} of shape {tuple(index.shape)}."
        )
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < classes:
        raise ValueError(f"target: expected classes 0 to {classes - 1}, got {int(index.min())} to {int(index.max())}.")
    columns = index.long().T if index.dim() == 2 else index.long().expand(n)[None]
    return [torch.zeros_like(logits).scatter(1, c[:, None], logits.gather(1, c[:, None])) for c in columns]


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


def _layer(tape: Tape, name: str) -> Node:
    """The output of the module of that path; `path#1` is its second run."""
    path, _, run = name.partition("#")
    found = tape.layers.get(path, [])
    if not found:
        raise ValueError(f"layer {path!r}: no module of that path returns one tensor; there are {some(tape.layers)}.")
    if (not run and len(found) > 1) or (run and not (run.isdigit() and int(run) < len(found))):
        raise ValueError(
            f"layer {name!r}: the module runs {len(found)} times; choose {path}#0 to {path}#{len(found) - 1}."
        )
    return found[int(run or 0)]
