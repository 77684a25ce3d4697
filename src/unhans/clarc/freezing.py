"""Keeping what lies below a layer as it is while the layers above are trained."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from unhans.attribution import frozen_view
from unhans.lrp.tracing import computing_dtype


class Freezing:
    """Parameters below a layer without gradients, and batch norm there in evaluation mode.

    An optimizer skips a parameter whose gradient is None: neither its weight decay nor its momentum touches it.

    network, layer: what; below: names of the parameters that the layer's output depends on; example: an input (1, …).
    Raises ValueError where no trained parameter lies above.
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
    view = frozen_view(network, computing_dtype(network, example))
    for name, module in view.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.append(name) if not done else None)
        if name == layer:
            module.register_forward_hook(lambda *_, name=name: done.append(name))
    with torch.no_grad():
        view(example.to(computing_dtype(network, example)))
    modules = dict(network.named_modules())
    return [modules[name] for name in ran if not any(True for _ in modules[name].children())]


def _is_below(norm: nn.Module, own: Collection[int]) -> bool:
    """One without parameters counts by its turn."""
    parameters = list(norm.parameters(recurse=False))
    return not parameters or any(id(parameter) in own for parameter in parameters)
