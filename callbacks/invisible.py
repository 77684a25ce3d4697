"""Law 2: whatever happens inside, training goes on as if it had not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def invisible(module: nn.Module) -> Iterator[None]:
    """Put back random states, training flags and `requires_grad`, whatever is done or raised inside.

    Inside, gradients can be taken: inference mode and autocast are off.
    """
    training = [(child, child.training) for child in module.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    with ExitStack() as stack:
        stack.callback(_restore, training, trainable)
        stack.enter_context(_random_states())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast("cuda", enabled=False))
        stack.enter_context(torch.autocast("cpu", enabled=False))
        yield


@contextmanager
def _random_states() -> Iterator[None]:
    """Keep the random states of Python, NumPy and torch on every device in use."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _restore(training: list[tuple[nn.Module, bool]], trainable: list[tuple[nn.Parameter, bool]]) -> None:
    for child, flag in training:
        child.training = flag
    for parameter, flag in trainable:
        parameter.requires_grad_(flag)
