"""The activations of a layer on many images."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unhans.attribution import frozen_view
from unhans.clarc.layers import check_layer
from unhans.lrp.tracing import computing_dtype


def activations(
    network: nn.Module,
    layer: str,
    images: Tensor,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
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
