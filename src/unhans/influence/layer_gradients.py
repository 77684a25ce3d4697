"""Gradients of every sample with respect to a layer's parameters, from what enters it and what flows back to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Gradients = Callable[[nn.Module, Tensor, Tensor], list[Tensor]]


def _linear(layer: nn.Linear, inputs: Tensor, delta: Tensor) -> list[Tensor]:
    inputs, delta = (each.reshape(len(each), -1, each.shape[-1]) for each in (inputs, delta))  # (n, places, features)
    found = [torch.einsum("npo,npi->noi", delta, inputs)]
    return found if layer.bias is None else [*found, delta.sum(1)]


def _convolution(layer: nn.Conv2d, inputs: Tensor, delta: Tensor) -> list[Tensor]:
    if layer.padding_mode != "zeros":
        inputs = F.pad(inputs, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
        padding: tuple[int, ...] | str = (0, 0)
    else:
        padding = layer.padding
    if isinstance(padding, str):
        inputs, padding = F.pad(inputs, layer._reversed_padding_repeated_twice), (0, 0)
    windows = F.unfold(inputs, layer.kernel_size, layer.dilation, padding, layer.stride)
    windows = windows.unflatten(1, (layer.groups, -1))
    errors = delta.flatten(2).unflatten(1, (layer.groups, -1))
    found = [torch.einsum("ngol,ngil->ngoi", errors, windows)]
    return found if layer.bias is None else [*found, delta.sum((2, 3))]


def _batch_norm(layer: nn.BatchNorm2d, inputs: Tensor, delta: Tensor) -> list[Tensor]:
    shape = (1, -1, *(1,) * (inputs.dim() - 2))
    scale = (layer.running_var + layer.eps).rsqrt().view(shape)
    normalised = (inputs - layer.running_mean.view(shape)) * scale
    return [each.reshape(*each.shape[:2], -1).sum(2) for each in (delta * normalised, delta)]


def _layer_norm(layer: nn.LayerNorm, inputs: Tensor, delta: Tensor) -> list[Tensor]:
    normalised = F.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
    between = list(range(1, inputs.dim() - len(layer.normalized_shape)))
    found = [(delta * normalised).sum(between) if between else delta * normalised]
    return found if layer.bias is None else [*found, delta.sum(between) if between else delta]


KINDS: dict[type[nn.Module], Gradients] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.LayerNorm: _layer_norm,
}


def has_gradients(layer: nn.Module) -> bool:
    """Tell whether per-sample gradients of a layer's own parameters are known in closed form."""
    statistics = not isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) or layer.running_var is not None
    own = {name for name, value in layer._parameters.items() if value is not None}
    return (
        type(layer) in KINDS and statistics and "weight" in own and own <= {"weight", "bias"}
    )  # pruned ones have more


def layer_gradients(layer: nn.Module, inputs: Tensor, delta: Tensor) -> list[Tensor]:
    """Return the gradients of every sample as rows, for each parameter.

    Args:
        layer: one for which `has_gradients` holds, in evaluation mode.
        inputs: what entered it, (n, …).
        delta: derivatives of each sample's scalar by the layer's output, (n, …).

    Returns:
        The flattened gradients of the weight, and of the bias where there is one, (n, values) each.
    """
    return [each.flatten(1) for each in KINDS[type(layer)](layer, inputs, delta)]
