"""What an explanation is asked for: which outputs, from where, down to which layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unhans.lrp.composites import first_names
from unhans.lrp.operations import wide
from unhans.lrp.tracing import Node, Tape, aten
from unhans.lrp.tracing.aten import UnsupportedModelError

Target = int | Tensor | None


def target_classes(logits: Tensor, target: Target) -> Tensor:
    """Return the class of each sample (n,), or its classes (n, k); None is the only class of a model with one output.

    Raises:
        ValueError: the logits are not (n, C), or the target is neither a class, (n,) nor (n, k) of them.
    """
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"an explanation expects logits of shape (n, C), got {got}.")
    n, classes = logits.shape
    if target is None and classes > 1:
        raise ValueError(f"target: expected a class or (n,) classes for a model with {classes} outputs, got None.")
    index = torch.as_tensor(0 if target is None else target, device=logits.device)
    whole = not index.is_floating_point() and index.dtype != torch.bool
    if not whole or not (index.shape in ((), (n,)) or (index.dim() == 2 and len(index) == n)):
        raise ValueError(
            f"target: expected a class or ({n},) classes as integers, got {index.dtype} of shape {tuple(index.shape)}."
        )
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < classes:
        raise ValueError(f"target: expected classes 0 to {classes - 1}, got {int(index.min())} to {int(index.max())}.")
    return index.long() if index.dim() == 2 else index.long().expand(n)


def is_weighted(target: Target) -> bool:
    """Tell whether a target is a weight for each logit of each sample: floating point (n, C)."""
    return isinstance(target, Tensor) and target.dim() == 2 and target.is_floating_point()


def check_weights(logits: Tensor, weights: Tensor) -> Tensor:
    """Return weights (n, C) of logits (n, C) on their device and in their type.

    Raises:
        ValueError: their shape is another, or one is not finite.
    """
    if weights.shape != logits.shape or not bool(weights.isfinite().all()):
        got = f"{tuple(weights.shape)}" if weights.shape != logits.shape else "NaN or infinity"
        raise ValueError(f"target: expected finite weights of the logits, {tuple(logits.shape)}, got {got}.")
    return weights.to(logits)


@dataclass(frozen=True)
class Request:
    """The arguments of `LRP.attribute` but for the inputs."""

    target: Target = None
    layer: str | None = None
    start: Tensor | None = None
    start_layer: str | None = None
    create_graph: bool = False

    def __post_init__(self) -> None:
        if self.start_layer is not None and self.start is None:
            raise ValueError("start_layer needs start: the relevance of that layer's output.")
        if self.start is not None and self.target is not None:
            raise ValueError("target and start exclude each other: relevance starts from one of them.")
        if not isinstance(self.layer, (str, type(None))):
            raise ValueError(f"layer expects the path of one module, got {self.layer!r}.")

    @property
    def several(self) -> bool:
        """Tell whether each sample has several targets, so that the explanations have a dimension for them."""
        several = isinstance(self.target, Tensor) and self.target.dim() == 2 and not is_weighted(self.target)
        return several and self.start is None

    def part(self, samples: slice) -> Request:
        """Return the request for some of the samples."""
        each = isinstance(self.target, Tensor) and self.target.dim() > 0
        target = self.target[samples] if each else self.target  # type: ignore[index]
        return replace(self, target=target, start=None if self.start is None else self.start[samples])

    def starts(self, begin: Node) -> Sequence[Tensor]:
        """Return the relevance to start from: for each target of a sample zeros but for its logit (METHODS §1).

        Weights make one start of all logits: each times its weight.
        """
        if self.start is not None:
            if self.start.shape != begin.shape:
                raise ValueError(f"start expects shape {tuple(begin.shape)}, got {tuple(self.start.shape)}.")
            return [wide(self.start.to(begin.value))]
        if begin.kind in aten.PROBABILITIES:
            raise UnsupportedModelError(f"LRP expects logits, got probabilities from {begin}.")
        logits = begin.value
        if is_weighted(self.target):
            return [wide(logits * check_weights(logits, self.target))]
        classes = target_classes(logits, self.target)
        columns = classes.T if classes.dim() == 2 else classes[None]
        return [wide(torch.zeros_like(logits).scatter(1, c[:, None], logits.gather(1, c[:, None]))) for c in columns]


def output_of(tape: Tape, name: str) -> Node:
    """Return the output of the module of that path; `path#1` is its second run."""
    path, _, run = name.partition("#")
    found = tape.layers.get(path, [])
    if not found:
        raise ValueError(
            f"layer {path!r}: no module of that path returns one tensor; there are {first_names(tape.layers)}."
        )
    if (not run and len(found) > 1) or (run and not (run.isdigit() and int(run) < len(found))):
        last = len(found) - 1
        raise ValueError(f"layer {name!r}: the module runs {last + 1} times; choose {path}#0 to {path}#{last}.")
    return found[int(run or 0)]
