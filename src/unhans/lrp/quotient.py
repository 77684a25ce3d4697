"""Quotients that are defined where the denominator is zero."""

from __future__ import annotations

import torch
from torch import Tensor


def divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return the quotient, and zero where the denominator is zero."""
    zero = negligible(denominator)
    return (numerator / denominator.masked_fill(zero, 1.0)).masked_fill(zero, 0.0)


def negligible(z: Tensor) -> Tensor:
    """Tell where z is zero, or so near the smallest normal number that a quotient would overflow."""
    finfo = torch.finfo(z.dtype)
    return z.abs() <= finfo.tiny / finfo.eps
