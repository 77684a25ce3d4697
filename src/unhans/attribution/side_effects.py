"""What keeps an explanation apart from the process and the model that it runs in: training goes on as if it had not."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unhans.lrp.tracing import computing_dtype, logits_of, working_view

RANDOM_STATES = threading.RLock()  # they belong to all threads: two that save and restore at once would mix them up


@contextmanager
def without_side_effects(device: torch.device) -> Iterator[None]:
    """Compute with gradients, without autocast, whatever the caller does; put every random state back."""
    with RANDOM_STATES, _apart({} if device.type == "cpu" else {device.type: [device]}):
        yield


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed the generators that Captum draws from; `torch.manual_seed` would seed every other GPU as well."""
    np.random.seed(seed)  # noqa: NPY002
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def frozen_view(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return the model in evaluation mode over detached parameters and copied buffers, in `dtype`.

    What the network writes while it runs, such as a buffer or its own input, is written to copies.
    """
    network = working_view(model, dtype)
    for module in network.modules():
        module._parameters = {name: _constant(value) for name, value in module._parameters.items()}
    network.register_forward_pre_hook(lambda module, inputs: tuple(value.clone() for value in inputs))
    return network


def fastest_view(model: nn.Module, image: Tensor) -> tuple[nn.Module, torch.memory_format]:
    """Return a frozen view, and how its images (1, C, H, W) should lie in memory.

    Channels last where it computes the same with it: convolutions are up to three times as fast then. A network that
    views its feature maps as in their usual order raises; one that strides over memory would err.
    """
    usual, faster = (frozen_view(model, computing_dtype(model, image)) for _ in range(2))
    for module in faster.modules():
        for name, weight in module._parameters.items():
            if weight is not None and weight.ndim == 4:
                module._parameters[name] = weight.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(False), torch.no_grad():
        expected = logits_of(usual(image)).float()
        try:
            found = logits_of(faster(image.contiguous(memory_format=torch.channels_last))).float()
        except RuntimeError:
            return usual, torch.contiguous_format
    near = 1e-4 * float(expected.abs().max().nan_to_num())
    same = torch.allclose(found, expected, rtol=1e-3, atol=near, equal_nan=True)
    return (faster, torch.channels_last) if same else (usual, torch.contiguous_format)


def run_with_hooks(network: nn.Module, images: Tensor, hooks: Mapping[str, Callable[..., Any]]) -> Tensor:
    """Predict with a view of the network in evaluation mode that has these forward hooks, by the name of the module."""
    dtype = computing_dtype(network, images)
    view = frozen_view(network, dtype)
    for name, hook in hooks.items():
        view.get_submodule(name).register_forward_hook(hook)
    with torch.inference_mode(False), torch.no_grad():
        return view(images.to(dtype))


def _constant(value: Tensor | None) -> Tensor | None:
    """Detach a parameter; one made in inference mode is copied, or autograd could not save it."""
    if value is None:
        return None
    return value.detach().clone() if value.is_inference() else value.detach()


@contextmanager
def invisible(module: nn.Module) -> Iterator[None]:
    """Put back random states, training flags and `requires_grad`, whatever is done or raised inside.

    Inside, gradients can be taken: inference mode and autocast are off. Accelerators that hold no part of the module
    are left alone: to ask all of them at every training step takes long.
    """
    training = [(child, child.training) for child in module.modules()]
    trainable = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        with _apart(devices_of(module)):
            yield
    finally:
        for child, flag in training:
            child.training = flag
        for parameter, flag in trainable:
            parameter.requires_grad_(flag)


def devices_of(module: nn.Module) -> dict[str, list[torch.device]]:
    """Return the accelerators that hold parts of a module, by their kind, such as "cuda", "mps" or "xpu"."""
    found = {part.device for part in (*module.parameters(), *module.buffers())}
    kinds: dict[str, list[torch.device]] = {}
    for device in sorted(found, key=str):
        if device.type not in ("cpu", "meta"):
            kinds.setdefault(device.type, []).append(device)
    return kinds


@contextmanager
def _apart(devices: Mapping[str, Sequence[torch.device]]) -> Iterator[None]:
    """Compute with gradients and without autocast; put back the random states, those of these accelerators as well."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 the global state is what must be kept
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng([]), ExitStack() as stack:
            for kind, each in devices.items():
                stack.enter_context(torch.random.fork_rng(each, device_type=kind))
            for kind in {"cpu", *devices}:
                stack.enter_context(torch.autocast(kind, enabled=False))
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
