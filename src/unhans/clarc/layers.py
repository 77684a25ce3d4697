"""Where in a network there are feature maps to correct."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unhans.attribution import frozen_view
from unhans.lrp.tracing import Layout, computing_dtype, layout_of_shape, layouts_or_none

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

    Those are the named modules that run exactly once and return feature maps (n, C, H, W) or (n, H, W, C), or tokens
    (n, N, C) on a grid of patches; `channel_axis` tells which axis holds the channels. Of several that return the same
    tensor, such as a block and its last layer, the first to end is listed. The network is not written.

    Args:
        network: in any mode; it runs in evaluation mode.
        example: images as the network takes them; one is enough.

    Raises:
        ValueError: for a compiled or parallel-wrapped network.
    """
    run = _observed(network, example)
    told = layouts_or_none(network, example)
    found: dict[Memory, str] = {}
    for name in run.outputs:
        if run.calls[name] == 1 and _spatial(run.outputs[name], len(example), told.get(name), bool(told)):
            found.setdefault(run.memory[name], name)
    return {name: run.outputs[name].shape for name in found.values()}


def check_layer(network: nn.Module, layer: str, example: Tensor) -> None:
    """Raise a ValueError unless the layer can be corrected.

    It must be a named module that runs once on the example and returns feature maps, or tokens on a grid of patches, of
    a network that is neither compiled nor wrapped for parallel training.
    """
    shape_of(network, layer, example)


def channel_axis(network: nn.Module, layer: str, example: Tensor) -> int:
    """Return which axis of a layer's output holds the channels: 1 of (n, C, H, W), 3 of (n, H, W, C), 2 of (n, N, C).

    What the network computes tells it; where LRP cannot follow the network, the equal sides of square maps do.

    Raises:
        ValueError: as `check_layer` does, and where the axis cannot be told.
    """
    shape = shape_of(network, layer, example)
    found = layouts_or_none(network, example).get(layer) or layout_of_shape(shape)
    if found is None:
        raise ValueError(f"layer {layer!r}: its output of shape {tuple(shape)} does not tell which axis is channels.")
    return found.channels


def shape_of(network: nn.Module, layer: str, example: Tensor) -> torch.Size:
    """Return the shape of a layer's output on the example; raises as `check_layer` does."""
    check_plain(network)
    check_name(network, layer)
    run = _observed(network, example, layer)
    if run.calls[layer] != 1:
        raise ValueError(f"layer expects a module that runs once, but {layer!r} runs {run.calls[layer]} times.")
    output = run.outputs[layer]
    tokens = isinstance(output, Tensor) and output.dim() == 3
    if not _spatial(output, len(example), layouts_or_none(network, example).get(layer) if tokens else None):
        given = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            "layer expects feature maps (n, C, H, W) or (n, H, W, C), or tokens (n, N, C) on a grid of patches, "
            f"but the output of {layer!r} is of {given}."
        )
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


def _spatial(output: Any, n: int, layout: Layout | None, told: bool = False) -> bool:
    """Tell features with places; `told` says that the network tells the layout of all that have some."""
    if not isinstance(output, Tensor) or len(output.shape[:1]) != 1 or len(output) != n:
        return False
    places = layout is not None and layout.grid is not None
    return output.is_floating_point() and (places or (output.dim() == 4 and not told))


def _memory(tensor: Tensor) -> Memory:
    """What tells whether two outputs are one: the same elements, not written in between."""
    place = tensor.untyped_storage()._cdata
    return place, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor._version
