"""Where in a network there are feature maps to correct."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unhans.attribution.isolation import frozen_view
from unhans.lrp.view import computing_dtype

PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
Memory = tuple[Any, ...]


@dataclass
class Run:
    """What the modules of a network did on an example: how often each ran, and its last output."""

    calls: Counter[str] = field(default_factory=Counter)
    outputs: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)

    def note(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        """Remember the end of a module's run; a forward hook."""
        self.calls[name] += 1
        self.outputs[name] = output  # kept alive, so that no other tensor gets its memory
        if isinstance(output, Tensor):
            self.memory[name] = _memory(output)


def layers(network: nn.Module, example: Tensor) -> dict[str, torch.Size]:
    """Return the layers that can be corrected, in the order in which they end, with the shape of their output.

    Those are the named modules that run exactly once and return one tensor (n, C, H, W). Of several that return the
    same tensor, such as a block and its last layer, the first to end is listed. The network is not written.

    Args:
        network: in any mode; it runs in evaluation mode.
        example: images as the network takes them; one is enough.

    Raises:
        ValueError: for a compiled or parallel-wrapped network.
    """
    run = _observed(network, example)
    found: dict[Memory, str] = {}
    for name in run.outputs:
        if run.calls[name] == 1 and _spatial(run.outputs[name], len(example)):
            found.setdefault(run.memory[name], name)
    return {name: run.outputs[name].shape for name in found.values()}


def check_layer(network: nn.Module, layer: str, example: Tensor) -> None:
    """Raise a ValueError unless the layer can be corrected.

    It must be a named module that runs once on the example and returns feature maps (n, C, H, W), of a network that is
    neither compiled nor wrapped for parallel training.
    """
    shape_of(network, layer, example)


def shape_of(network: nn.Module, layer: str, example: Tensor) -> torch.Size:
    """Return the shape of a layer's output on the example; raises as `check_layer` does."""
    check_plain(network)
    check_name(network, layer)
    run = _observed(network, example, layer)
    if run.calls[layer] != 1:
        raise ValueError(f"layer expects a module that runs once, but {layer!r} runs {run.calls[layer]} times.")
    output = run.outputs[layer]
    if not _spatial(output, len(example)):
        given = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"layer expects feature maps (n, C, H, W), but the output of {layer!r} is of {given}.")
    return output.shape


def check_name(network: nn.Module, layer: str) -> None:
    """Raise a ValueError that names the near ones unless the network has a module of that name."""
    names = [name for name, _ in network.named_modules() if name]
    if layer not in names and not _reached(network, layer):
        near = difflib.get_close_matches(layer, names, n=3, cutoff=0.3)
        hint = f"near names: {', '.join(near)}" if near else f"there are {', '.join(names[:12])}"
        raise ValueError(f"layer {layer!r} does not exist in this {type(network).__name__}; {hint}.")


def check_plain(network: nn.Module) -> None:
    """Raise a ValueError for a network that is compiled or wrapped for parallel training."""
    for module in network.modules():
        if isinstance(module, PARALLEL) or hasattr(module, "_fsdp_wrapped_module"):
            kind = type(module).__name__
            raise ValueError(f"ClArC needs the network itself, got one wrapped in {kind}; give it its .module.")
        if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            raise ValueError("ClArC needs a network that is not compiled, on whose graph a layer cannot be replaced.")


def _observed(network: nn.Module, example: Tensor, *only: str) -> Run:
    """What the modules of those names, or all named ones, do on the example."""
    check_plain(network)
    dtype, run = computing_dtype(network, example), Run()
    view = frozen_view(network, dtype)
    for name in only or [name for name, _ in view.named_modules() if name]:
        view.get_submodule(name).register_forward_hook(partial(run.note, name))
    with torch.inference_mode(False), torch.no_grad():
        view(example.to(dtype))
    return run


def _reached(network: nn.Module, layer: str) -> bool:
    """Whether the name leads to a module, which may have another name as well."""
    try:
        return bool(layer) and isinstance(network.get_submodule(layer), nn.Module)
    except AttributeError:
        return False


def _spatial(output: Any, n: int) -> bool:
    return isinstance(output, Tensor) and output.dim() == 4 and len(output) == n and output.is_floating_point()


def _memory(tensor: Tensor) -> Memory:
    """What tells whether two outputs are one: the same elements, not written in between."""
    place = tensor.untyped_storage()._cdata
    return place, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor._version
