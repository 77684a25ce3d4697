"""Arithmetic with care: quotients by zero, results in memory that is ours, whole float32, how much memory is left.

On large feature maps most of the time of an elementwise operation goes into new memory. TensorFloat-32 has 10 bits of
mantissa, and ε divides by sums of terms that cancel.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


_LOCK = threading.Lock()
_inside = 0  # passes that run now, in all threads: the switches belong to the process
_before: list[str] = []


@contextmanager
def whole_float32() -> Iterator[None]:
    """Compute convolutions and matrix products on CUDA without TensorFloat-32; put the switches back.

    cuDNN's convolutions use it by default, matrix products where `torch.set_float32_matmul_precision` allows it. The
    first of several threads sets the switches and the last one puts them back.
    """
    global _inside
    with _LOCK:
        if not _inside:
            _before[:] = [switch.fp32_precision for switch in _switches()]
            _set(["ieee"] * len(_before))
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                _set(_before)


def _switches() -> list[Any]:
    """The parts of PyTorch whose `fp32_precision` turns TensorFloat-32 on and off."""
    return [torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn]


def _set(values: list[str]) -> None:
    for switch, value in zip(_switches(), values, strict=True):
        switch.fp32_precision = value


SHARE = 0.4  # of what is free goes to the tape; the rest is for rules at work and for others


class TooLargeError(Exception):
    """The tape of a batch would not fit; the batch is to be split."""


def budget(device: torch.device) -> float:
    """Return how many bytes a tape may hold on this device; infinite where nobody knows."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return SHARE * (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return SHARE * min(_available(), _left_to_group()) if device.type == "cpu" else float("inf")


def _available(path: Path = Path("/proc/meminfo")) -> float:
    """What the kernel could give, on Linux."""
    try:
        lines = path.read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return float("inf")


def _left_to_group(folder: Path = Path("/sys/fs/cgroup")) -> float:
    """What the container may still take, where it has a limit."""
    try:
        return float((folder / "memory.max").read_text()) - float((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return float("inf")
