"""Gradients of every sample with respect to a layer's parameters, from what enters it and what flows back to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Gradients = Callable[[nn.Module, Tensor, Tensor], list[Tensor]]


MOST_PRODUCTS = 2**24  # that are held at once


@dataclass(frozen=True)
class OuterGradients:
    """Gradients Σ_l δ_l u_lᵀ of samples by a weight, as their factors.

    Attributes:
        delta: δ of every place (n, L, outputs).
        inputs: u of every place (n, L, inputs).
    """

    delta: Tensor
    inputs: Tensor

    def __len__(self) -> int:
        return len(self.delta)

    def dots(self, others: OuterGradients) -> Tensor:
        """Return the dot products Σ_ll' (δ_l·δ'_l') (u_l·u'_l') of all samples with all others (n, m)."""
        m, places, far = len(others), self.delta.shape[1], others.delta.shape[1]
        count = max(1, MOST_PRODUCTS // (places * far * m))
        deltas, inputs = (each.flatten(0, 1).T for each in (others.delta, others.inputs))
        found = [
            ((delta.flatten(0, 1) @ deltas) * (own.flatten(0, 1) @ inputs)).view(-1, places, m, far).sum((1, 3))
            for delta, own in zip(self.delta.split(count), self.inputs.split(count), strict=True)
        ]
        return torch.cat(found)

    def squares(self) -> Tensor:
        """Return the squared length of each sample's gradient (n,)."""
        return ((self.delta @ self.delta.mT) * (self.inputs @ self.inputs.mT)).sum((1, 2))


def joined(parts: Sequence[Tensor | OuterGradients]) -> Tensor | OuterGradients:
    """Return the gradients of several batches of samples as those of one."""
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    return OuterGradients(*(torch.cat([getattr(each, name) for each in parts]) for name in ("delta", "inputs")))


Calls = Sequence[tuple[Tensor, Tensor]]  # what entered a layer (n, …), and what flows back to it (n, …), each time


def factors_are_cheaper(layer: nn.Module, calls: Calls, queries: int) -> bool:
    """Tell whether dot products with q queries are cheaper by the factors of gradients than by whole gradients.

    A pair of samples costs L² (O + I) by factors of O outputs and I inputs at L places, and O I (1 + L / q) by whole
    gradients, each of which is made first. Factors that take more memory are not used.
    """
    if not isinstance(layer, nn.Linear | nn.Conv2d) or getattr(layer, "groups", 1) > 1:
        return False
    outputs, inputs = layer.weight.flatten(1).shape
    places = sum(delta[0].numel() for _, delta in calls) // outputs
    total, product = outputs + inputs, outputs * inputs
    return places * total <= product and places**2 * total <= product * (1 + places / queries)


def factored_gradients(layer: nn.Linear | nn.Conv2d, calls: Calls) -> list[Tensor | OuterGradients]:
    """Return the gradients by the weight as factors, and by the bias, where there is one, as rows (n, outputs).

    What is called several times has the sum of its calls' gradients: their places are taken together.
    """
    inputs, delta = (torch.cat(each, 1) for each in zip(*(_places(layer, *call) for call in calls), strict=True))
    weight = OuterGradients(delta, inputs)
    return [weight] if layer.bias is None else [weight, delta.sum(1)]


def _places(layer: nn.Linear | nn.Conv2d, inputs: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """What enters each place (n, L, I), and what flows back to it (n, L, O)."""
    if isinstance(layer, nn.Linear):
        own, errors = (each.reshape(len(each), -1, each.shape[-1]) for each in (inputs, delta))
        return own, errors
    return _windows(layer, inputs).mT.contiguous(), delta.flatten(2).mT.contiguous()


def _linear(layer: nn.Linear, inputs: Tensor, delta: Tensor) -> list[Tensor]:
    inputs, delta = _places(layer, inputs, delta)
    found = [torch.einsum("npo,npi->noi", delta, inputs)]
    return found if layer.bias is None else [*found, delta.sum(1)]


def _windows(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """What enters a convolution at each place (n, I, L)."""
    if layer.padding_mode != "zeros":
        inputs = F.pad(inputs, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
        padding: tuple[int, ...] | str = (0, 0)
    else:
        padding = layer.padding
    if isinstance(padding, str):
        inputs, padding = F.pad(inputs, layer._reversed_padding_repeated_twice), (0, 0)
    return F.unfold(inputs, layer.kernel_size, layer.dilation, padding, layer.stride)


def _convolution(layer: nn.Conv2d, inputs: Tensor, delta: Tensor) -> list[Tensor]:
    windows = _windows(layer, inputs).unflatten(1, (layer.groups, -1))
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
