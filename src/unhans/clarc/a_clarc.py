"""A-ClArC: every sample carries the artifact while the layers above are fine-tuned [001; METHODS §5]."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.hooks import RemovableHandle

from unhans.attribution import check_name, frozen_view, run_with_hooks
from unhans.clarc.correction import Correction
from unhans.clarc.layers import check_layer, check_plain
from unhans.lrp.tracing import computing_dtype


def augment_layer(
    network: nn.Module, layer: str, correction: Correction, active: Callable[[], bool]
) -> RemovableHandle:
    """Correct a layer's output in the live network while `active()` is true; `handle.remove()` ends it.

    It is a forward hook: the network's modules, parameters and state dict stay as they are.

    Raises:
        ValueError: the layer does not exist, or the network is compiled or parallel-wrapped.
    """
    check_plain(network)
    check_name(network, layer)
    ours = copy.deepcopy(correction)

    # A closure, not an object: a deep copy of the network (an average of its weights) copies it as it is.
    def augment(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        return ours.to(output.device)(output) if active() else None

    return network.get_submodule(layer).register_forward_hook(augment)


def parameters_below(network: nn.Module, layer: str, example: Tensor) -> list[str]:
    """Return the names of the parameters that a layer's output depends on, in the network's order.

    They are what must not change while a direction at that layer is to stay valid. The network is not written.

    Raises:
        ValueError: see `check_layer`.
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


class Freezing:
    """Parameters below a layer without gradients, and batch norm there in evaluation mode.

    An optimizer skips a parameter whose gradient is None: neither its weight decay nor its momentum touches it.

    Args:
        network: what is trained.
        layer: the name of a module of it.
        below: names of the parameters that the layer's output depends on.
        example: an input (1, …).

    Raises:
        ValueError: no trained parameter lies above the layer.
    """

    def __init__(self, network: nn.Module, layer: str, below: Collection[str], example: Tensor) -> None:
        parameters = dict(network.named_parameters())
        self.parameters = [parameters[name] for name in below]
        own = {id(parameter) for parameter in self.parameters}
        if not any(p.requires_grad and id(p) not in own for p in parameters.values()):
            raise ValueError(f"no parameter that is trained lies above the layer {layer!r}; choose an earlier one.")
        ran = modules_until(network, layer, example)
        self.norms = [m for m in ran if isinstance(m, _NormBase) and _is_below(m, own)]
        self._trained: list[nn.Parameter] = []
        self._training: list[nn.Module] = []
        self._modules = [m for m in network.modules() if any(id(p) in own for p in m.parameters(recurse=False))]

    def freeze(self) -> Freezing:
        """Freeze, and remember what was not frozen before: the rest is another's to give back."""
        self._trained = [parameter for parameter in self.parameters if parameter.requires_grad]
        self._training = [module for module in {*self._modules, *self.norms} if module.training]
        for parameter in self.parameters:
            parameter.requires_grad_(False)
            parameter.grad = None  # one left from before would still be stepped along
        self.hold()
        return self

    def hold(self) -> None:
        """Put batch norm in evaluation mode, whoever put it in training mode meanwhile."""
        for norm in self.norms:
            norm.training = False

    def thaw(self) -> None:
        """Give everything back as it was."""
        for parameter in self._trained:
            parameter.requires_grad_(True)
        for module in self._training:
            module.training = True


def modules_until(network: nn.Module, layer: str, example: Tensor) -> list[nn.Module]:
    """Return the modules without children that run before the layer has its output, the layer's own among them.

    A view of the network runs; the network itself is not written.
    """
    ran: list[str] = []
    done: list[str] = []

    def note(name: str, *_: Any) -> None:
        if not done:
            ran.append(name)
        if name == layer:
            done.append(name)

    modules = dict(network.named_modules())
    run_with_hooks(network, example, {name: partial(note, name) for name in modules})
    return [modules[name] for name in ran if not any(True for _ in modules[name].children())]


def _is_below(norm: nn.Module, own: Collection[int]) -> bool:
    """One without parameters counts by its turn."""
    parameters = list(norm.parameters(recurse=False))
    return not parameters or any(id(parameter) in own for parameter in parameters)
