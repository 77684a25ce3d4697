"""Where in a network there are feature maps to correct, and what they are on many images."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unhans.attribution import check_name, frozen_view, run_with_hooks
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
            place = output.untyped_storage()._cdata, output.storage_offset(), output.shape, output.stride()
            self.memory[name] = *place, output._version  # the same elements, not written in between: one output


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


def channel_axis(network: nn.Module, layer: str, example: Tensor) -> int:
    """Return which axis of a layer's output holds the channels: 1 of (n, C, H, W), 3 of (n, H, W, C), 2 of (n, N, C).

    What the network computes tells it; where LRP cannot follow the network, the equal sides of square maps do.

    Raises:
        ValueError: as `check_layer` does, and where the axis cannot be told.
    """
    shape = check_layer(network, layer, example)
    found = layouts_or_none(network, example).get(layer) or layout_of_shape(shape)
    if found is None:
        raise ValueError(f"layer {layer!r}: its output of shape {tuple(shape)} does not tell which axis is channels.")
    return found.channels


def check_layer(network: nn.Module, layer: str, example: Tensor) -> torch.Size:
    """Return the shape of a layer's output on the example, or raise a ValueError unless the layer can be corrected.

    It must be a named module that runs once on the example and returns feature maps, or tokens on a grid of patches, of
    a network that is neither compiled nor wrapped for parallel training.
    """
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


def check_plain(network: nn.Module) -> None:
    """Raise a ValueError for a network that is compiled or wrapped for parallel training."""
    for module in network.modules():
        if isinstance(module, PARALLEL) or hasattr(module, "_fsdp_wrapped_module"):
            kind = type(module).__name__
            raise ValueError(f"ClArC needs the network itself, got one wrapped in {kind}; give it its .module.")
        if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            raise ValueError("ClArC needs a network that is not compiled, on whose graph a layer cannot be replaced.")


def activations(
    network: nn.Module, layer: str, images: Tensor, batch_size: int = 32, device: torch.device | str = "cpu"
) -> Tensor:
    """Return a layer's output on images, such as (n, C, H, W), in float32 on the CPU; the network is not written.

    Args:
        network: in any mode; it runs in evaluation mode.
        layer: the name of a module that runs once.
        images: (n, 3, H, W) as the network takes them.
        batch_size: images at once.
        device: where to compute; a network that lies elsewhere is copied there.

    Raises:
        ValueError: for no images, and as `check_layer` does.
    """
    if not len(images):
        raise ValueError("images expects at least one image, got none.")
    network = placed(network, device)
    check_layer(network, layer, images[:1].to(device))
    return outputs_of(network, [layer], images, batch_size, device)[layer]


def outputs_of(
    network: nn.Module, names: Sequence[str], images: Tensor, batch_size: int, device: torch.device | str
) -> dict[str, Tensor]:
    """Return the outputs of several layers in one pass, in float32 on the CPU."""
    dtype = computing_dtype(network, images)
    view, found = frozen_view(network, dtype), dict.fromkeys(names, torch.empty(0))
    rows: list[slice] = []

    def keep(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        if not len(found[name]):
            found[name] = torch.empty(len(images), *output.shape[1:])
        found[name][rows[-1]] = output  # at once: what follows may write into it

    for name in names:
        view.get_submodule(name).register_forward_hook(partial(keep, name))
    with torch.inference_mode(False), torch.no_grad():
        for start in range(0, len(images), batch_size):
            rows.append(slice(start, start + batch_size))
            view(images[rows[-1]].to(device, dtype))
    return found


def placed(network: nn.Module, device: torch.device | str) -> nn.Module:
    """Return the network where it lies on the device, else a copy of it there."""
    wanted = torch.empty(0, device=device).device  # "cuda" is a device of some number
    places = {tensor.device for tensor in (*network.parameters(), *network.buffers())}
    return network if places <= {wanted} else copy.deepcopy(network).to(wanted)


def _observed(network: nn.Module, example: Tensor, *only: str) -> Run:
    """What the modules of those names, or all named ones, do on the example."""
    check_plain(network)
    run, names = Run(), only or [name for name, _ in network.named_modules() if name]
    run_with_hooks(network, example, {name: partial(run.note, name) for name in names})
    return run


def _spatial(output: Any, n: int, layout: Layout | None, told: bool = False) -> bool:
    """Tell features with places; `told` says that the network tells the layout of all that have some."""
    if not isinstance(output, Tensor) or len(output.shape[:1]) != 1 or len(output) != n:
        return False
    places = layout is not None and layout.grid is not None
    return output.is_floating_point() and (places or (output.dim() == 4 and not told))
