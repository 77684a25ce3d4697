"""Law 2: whatever happens inside, training goes on as if it had not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def invisible(module: nn.Module) -> Iterator[None]:
    """Put back random states, training flags and `requires_grad`, whatever is done or raised inside.

    Inside, gradients can be taken: inference mode and autocast are off. Accelerators that hold no part of the module
    are left alone: to ask all of them at every training step takes long.
    """
    training = [(child, child.training) for child in module.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    devices = devices_of(module)
    with ExitStack() as stack:
        stack.callback(_restore, training, trainable)
        stack.enter_context(_random_states(devices))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in {"cpu", *devices}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def devices_of(module: nn.Module) -> dict[str, list[torch.device]]:
    """Return the accelerators that hold parts of a module, by their kind, such as "cuda", "mps" or "xpu"."""
    found = {part.device for part in (*module.parameters(), *module.buffers())}
    kinds: dict[str, list[torch.device]] = {}
    for device in sorted(found, key=str):
        if device.type not in ("cpu", "meta"):
            kinds.setdefault(device.type, []).append(device)
    return kinds


@contextmanager
def _random_states(devices: Mapping[str, Sequence[torch.device]]) -> Iterator[None]:
    """Keep the random states of Python, NumPy and torch, on the processor and on these accelerators."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng([]))
            for kind, each in devices.items():
                stack.enter_context(torch.random.fork_rng(each, device_type=kind))
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _restore(training: list[tuple[nn.Module, bool]], trainable: list[tuple[nn.Parameter, bool]]) -> None:
    for child, flag in training:
        child.training = flag
    for parameter, flag in trainable:
        parameter.requires_grad_(flag)
