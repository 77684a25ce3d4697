"""Products in whole float32: TensorFloat-32 has 10 bits of mantissa, and ε divides by sums of terms that cancel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_LOCK = threading.Lock()
_inside = 0  # passes that run now, in all threads: the switches belong to the process
_before: list[Any] = []


@contextmanager
def whole_float32() -> Iterator[None]:
    """Compute convolutions and matrix products on CUDA without TensorFloat-32; put the switches back.

    cuDNN's convolutions use it by default, matrix products where `torch.set_float32_matmul_precision` allows it. The
    first of several threads sets the switches and the last one puts them back.
    """
    global _inside
    with _LOCK:
        if not _inside:
            _before[:] = [getattr(place, name) for place, name, _ in _switches()]
            _set([exact for _, _, exact in _switches()])
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                _set(_before)


def _switches() -> list[tuple[Any, str, Any]]:
    """Where the switches are, and what turns TensorFloat-32 off; before PyTorch 2.9 they are of another kind."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(matmul, "fp32_precision") and hasattr(cudnn, "conv"):
        return [(place, "fp32_precision", "ieee") for place in (matmul, cudnn.conv, cudnn.rnn)]
    return [(place, "allow_tf32", False) for place in (matmul, cudnn)]


def _set(values: list[Any]) -> None:
    for (place, name, _), value in zip(_switches(), values, strict=True):
        setattr(place, name, value)
