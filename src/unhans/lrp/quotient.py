"""Quotients that are defined where the denominator is zero, and products, in memory that is ours where that is allowed.

On large feature maps most of the time of an elementwise operation goes into new memory.
"""

from __future__ import annotations

import torch
from torch import Tensor


def divide(numerator: Tensor, denominator: Tensor, *, ours: bool = False, positive: bool = False) -> Tensor:
    """Return the quotient, and zero where the denominator is zero.

    With `ours` the denominator's memory is used for the result, unless autograd records. With `positive` it is known
    not to be negative, but for rounding.
    """
    zero = denominator <= smallest(denominator.dtype) if positive else negligible(denominator)
    if not ours or torch.is_grad_enabled() or numerator.shape != denominator.shape:
        return numerator / denominator.masked_fill(zero, torch.inf)
    denominator.masked_fill_(zero, torch.inf)
    return torch.div(numerator, denominator, out=denominator)


def negligible(z: Tensor) -> Tensor:
    """Tell where z is zero, or so near the smallest normal number that a quotient would overflow."""
    bound = smallest(z.dtype)
    return (z <= bound).logical_and_(z >= -bound)


def smallest(dtype: torch.dtype) -> float:
    """Return the largest number that counts as zero."""
    finfo = torch.finfo(dtype)
    return finfo.tiny / finfo.eps


def times(x: Tensor, ours: Tensor) -> Tensor:
    """Return the product, in the memory of the second factor unless autograd records or that is shared."""
    if torch.is_grad_enabled() or 0 in ours.stride():
        return x * ours
    return ours.mul_(x)


def plus(ours: Tensor, other: Tensor) -> Tensor:
    """Return the sum, in the memory of the first summand unless autograd records or that is shared."""
    if torch.is_grad_enabled() or 0 in ours.stride():
        return ours + other
    return ours.add_(other)
