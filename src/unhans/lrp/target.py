"""The classes whose logits are explained."""

from __future__ import annotations

import torch
from torch import Tensor

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
