"""A-ClArC: every sample carries the artifact while the layers above are fine-tuned [001; METHODS §5]."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from unhans.attribution import frozen_view
from unhans.clarc.correction import Correction
from unhans.clarc.layers import check_layer, check_name, check_plain
from unhans.lrp.tracing import computing_dtype


def augmenting(network: nn.Module, layer: str, correction: Correction, active: Callable[[], bool]) -> RemovableHandle:
    """Correct a layer's output in the live network while `active()` is true; `handle.remove()` ends it.

    It is a forward hook: the network's modules, parameters and state dict stay as they are.

    Raises ValueError for a layer that does not exist, and a compiled or parallel-wrapped network.
    """
    check_plain(network)
    check_name(network, layer)
    ours = copy.deepcopy(correction)

    # A closure, not an object: a deep copy of the network (an average of its weights) copies it as it is.
    def augment(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        return ours.to(output.device)(output) if active() else None

    return network.get_submodule(layer).register_forward_hook(augment)


def below(network: nn.Module, layer: str, example: Tensor) -> list[str]:
    """Return the names of the parameters that a layer's output depends on, in the network's order.

    They are what must not change while a direction at that layer is to stay valid. The network is not written.

    Raises ValueError as `check_layer` does.
    """
    check_layer(network, layer, example)
    dtype = computing_dtype(network, example)
    view, sums = frozen_view(network, dtype), []
    leaves = {name: value.requires_grad_() for name, value in view.named_parameters() if value.is_floating_point()}
    # The sum is taken at once: what follows may write into the output.
    view.get_submodule(layer).register_forward_hook(lambda module, inputs, output: sums.append(output.sum()))
    with torch.inference_mode(False), torch.enable_grad():
        view(example.detach().to(dtype))
    if not sums[0].requires_grad:
        return []
    slopes = torch.autograd.grad(sums[0], list(leaves.values()), allow_unused=True)
    return [name for name, slope in zip(leaves, slopes, strict=True) if slope is not None]
