"""What keeps an explanation apart from the process and the model that it runs in."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from unhans.lrp.view import working_view

RANDOM_STATES = threading.RLock()  # they belong to all threads: two that save and restore at once would mix them up


@contextmanager
def isolated(device: torch.device) -> Iterator[None]:
    """Compute with gradients, without autocast, whatever the caller does; put every random state back."""
    with (
        RANDOM_STATES,
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
    ):
        states = random.getstate(), np.random.get_state()  # noqa: NPY002 the global state is what must be kept
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


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


def _constant(value: Tensor | None) -> Tensor | None:
    """Detach a parameter; one made in inference mode is copied, or autograd could not save it."""
    if value is None:
        return None
    return value.detach().clone() if value.is_inference() else value.detach()
