"""What if inputs were normalised otherwise? The same function of an image, other heatmaps ([003] §2.3.3, fig. 2.9).

Gradients, flat and z^B with the box of each network's inputs do not see the shift, w² neither where all channels have
one scale; ε does, and every rule and method in which the input itself is a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.lrp import UnsupportedModelError
from unhans.lrp.tracing import Tape, eval_view, first_readers, record, working_view

EQUAL = 1e-6  # of the largest logit: two networks that differ by less compute the same
ROUNDING = 1e-4  # relative difference of two heatmaps


@dataclass(frozen=True)
class InputShift:
    """Inputs x of network A are scale · x' + shift of those of network B, per channel.

    Attributes:
        shift, scale: (C,), scale above 0.
    """

    shift: Tensor
    scale: Tensor

    def inputs(self, images: Tensor) -> Tensor:
        """Return the inputs (n, C, H, W) of network B."""
        shift, scale = (value.to(images)[:, None, None] for value in (self.shift, self.scale))
        return (images - shift) / scale

    def bounds(self, bounds: Sequence[float]) -> list[float]:
        """Return bounds of A's inputs, per channel, for those of B."""
        given = torch.tensor(bounds, dtype=torch.float64).expand(len(self.shift))
        return ((given - self.shift.double().cpu()) / self.scale.double().cpu()).tolist()


def shifted_network(network: nn.Module, shift: InputShift, images: Tensor) -> nn.Module:
    """Return network B: a view that computes for x' what the network computes for x ([003] eq. 2.63).

    Its first layers W x + b are W s x' + (b + W m). A convolution that pads x with zeros pads x' with zeros as well, as
    its pixels are the same, and b + W m is a constant for each place then: at the border fewer weights see the shift.
    So B is for images of one size.

    Args:
        network: is not written; its layers keep their paths.
        shift: between the inputs.
        images: inputs of the network (n, C, H, W), one at least, of the size that counts; in double precision B
            is computed in it.

    Raises:
        UnsupportedModelError: the input is read by something else than convolutions and dense layers, or they do not
            compute the same.
    """
    with torch.inference_mode(False), torch.no_grad():
        tape, view = record(network, images[:1]), eval_view(network)
        constant = torch.ones_like(images[:1]) * shift.shift.to(images)[:, None, None]
        spread = torch.ones_like(images[:1]) * shift.scale.to(images)[:, None, None]
        for path in _first_paths(tape):
            seen = [_input_of(network, path, each) for each in (constant, spread)]
            _shift_layer(view.get_submodule(path), path, *seen)
        ours, theirs = (
            working_view(one, images.dtype)(x) for one, x in ((network, images), (view, shift.inputs(images)))
        )
        largest = float((ours - theirs).abs().max() / ours.abs().max())
    if not largest <= (EQUAL if images.dtype == torch.float64 else 1e3 * EQUAL):
        raise UnsupportedModelError(
            f"A network with shifted inputs must compute the same, but logits differ by {largest:.2g} of the largest."
        )
    return view


def _first_paths(tape: Tape) -> list[str]:
    """The modules that read the image, or a rearrangement of it."""
    layers, others = first_readers(tape)
    paths = list(dict.fromkeys(node.module for node in layers))
    if others:
        raise UnsupportedModelError(f"The input can be shifted before a convolution or dense layer, not {others[0]}.")
    repeated = [path for path in paths if len(tape.layers.get(path, [])) != 1]
    if repeated or not paths:
        raise UnsupportedModelError(f"The input can be shifted before modules that run once, not {repeated[:1]}.")
    return paths


def _input_of(network: nn.Module, path: str, images: Tensor) -> Tensor:
    """What a module reads where the network reads these images."""
    view, found = working_view(network, images.dtype), []
    view.get_submodule(path).register_forward_pre_hook(lambda module, inputs: found.append(inputs[0].clone()))
    view(images)
    return found[0]


def _shift_layer(layer: nn.Module, path: str, constant: Tensor, spread: Tensor) -> None:
    """Turn a layer of our own view into that of network B.

    Args:
        layer: W x + b.
        path: of it.
        constant: its input for an image of the shift.
        spread: its input for an image of the scale.
    """
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
        raise UnsupportedModelError(f"The input can be shifted before a Conv or Linear, not {type(layer).__name__}.")
    kind, dense = type(layer), isinstance(layer, nn.Linear)
    weight, bias = layer.weight.to(constant), None if layer.bias is None else layer.bias.to(constant)
    layer._parameters = {
        "weight": nn.Parameter(weight, False),
        "bias": bias if bias is None else nn.Parameter(bias, False),
    }
    added = kind.forward(layer, constant)[0]
    per_input = spread.reshape(-1, spread.shape[-1])[0] if dense else spread[0].flatten(1).amax(1)
    if not dense:  # weights are (out, in / groups, …)
        groups = per_input.reshape(layer.groups, 1, -1).expand(-1, len(weight) // layer.groups, -1)
        per_input = groups.reshape(len(weight), -1, *[1] * (weight.dim() - 2))
    layer._parameters = {"weight": nn.Parameter(weight * per_input, False), "bias": None}
    layer._buffers = {**layer._buffers, "added": added}
    forward = {"forward": lambda self, x: kind.forward(self, x) + self.added}
    layer.__class__ = type(f"Shifted{kind.__name__}", (kind,), forward)


@dataclass(frozen=True)
class ShiftedMaps:
    """Heatmaps of the same images by one method under both networks.

    Attributes:
        name: of the method.
        first: (n, H, W) under network A.
        second: the same under network B; A − B lies on the shift.
        scores: (n,) logits of the target, of both.
    """

    name: str
    first: NDArray[np.floating]
    second: NDArray[np.floating]
    scores: NDArray[np.floating]

    @property
    def difference(self) -> NDArray[np.float64]:
        """Σ|A − B| / Σ|A| of each image (n,): 0 where both are zero, infinite where A alone is zero everywhere."""
        size = np.abs(self.first).sum((1, 2), dtype=np.float64)
        apart = np.abs(self.first - self.second).sum((1, 2), dtype=np.float64)
        return np.where(size > 0, apart / np.where(size > 0, size, 1), np.where(apart > 0, np.inf, 0.0))

    @property
    def infinite(self) -> int:
        """Images whose map is zero everywhere under A, but not under B: no difference is relative to it."""
        return int(np.isinf(self.difference).sum())

    @property
    def mean_difference(self) -> float:
        """The mean over images whose difference is finite; NaN where none is."""
        finite = self.difference[np.isfinite(self.difference)]
        return float(finite.mean()) if len(finite) else float("nan")

    @property
    def equal(self) -> bool:
        """Whether the maps of every image differ by rounding only."""
        return bool(self.difference.max() < ROUNDING)

    @property
    def cosine(self) -> NDArray[np.float64]:
        """The cosine of both maps of each image (n,); 0 where one is zero everywhere."""
        a, b = (maps.reshape(len(maps), -1).astype(np.float64) for maps in (self.first, self.second))
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        return (a * b).sum(1) / np.where(lengths > 0, lengths, 1)

    @property
    def totals(self) -> tuple[float, float]:
        """ΣR under A and under B, over all images, as shares of the sum of the logits' sizes."""
        size = float(np.abs(self.scores).sum()) or 1.0
        return float(self.first.sum()) / size, float(self.second.sum()) / size
