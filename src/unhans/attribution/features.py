"""The features of one layer of any network, averaged over places, and predictions with features that were moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unhans.attribution.latent import channel_axis, layers_with_places
from unhans.attribution.side_effects import frozen_view
from unhans.lrp.tracing import Layout, computing_dtype, layouts_or_none, unwrapped


@dataclass(frozen=True)
class Features:
    """The output of one layer, which has channels and places and runs once.

    Attributes:
        network: in any mode; it runs in evaluation mode and is not written.
        layer: the name of a module.
        layout: which axis of its output holds the channels; None where the shape is to tell.
    """

    network: nn.Module
    layer: str
    layout: Layout | None = None

    def means(self, images: Tensor) -> Tensor:
        """Return the features averaged over all places, (n, C) in float64, of images as the network takes them."""
        found: list[Tensor] = []

        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            found.append(output.movedim(channel_axis(output.shape, self.layout), 1).flatten(2).double().mean(2))

        _run(self.network, images, {self.layer: keep})
        return found[0]

    def moved(self, images: Tensor, shifts: Tensor) -> Tensor:
        """Return the logits (n, classes) in float64, with shifts (n, C) added to the features at every place."""

        def add(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            shape = [len(output), *[1] * (output.dim() - 1)]
            shape[channel_axis(output.shape, self.layout)] = -1
            return output + shifts.to(output).reshape(shape)

        return _run(self.network, images, {self.layer: add}).double()


def last_features(network: nn.Module, example: Tensor) -> Features | None:
    """Return the last features that still have places; None where no layer with channels and places runs once.

    A layer with as many channels as there are logits scores classes already and is left out, as in `latent`.

    Args:
        network: takes images (n, C, H, W), returns logits (n, classes).
        example: (1, C, H, W) as the network takes it.
    """
    shapes: dict[str, torch.Size] = {}
    calls: Counter[str] = Counter()

    def note(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        calls[name] += 1
        if isinstance(output, Tensor) and output.is_floating_point():
            shapes[name] = output.shape

    names = [name for name, _ in unwrapped(network).named_modules() if name]
    logits = _run(network, example, {name: partial(note, name) for name in names})
    once = {name: shape for name, shape in shapes.items() if calls[name] == 1 and shape[0] == len(example)}
    told = layouts_or_none(network, example)
    chosen = layers_with_places(once, logits.shape[1], told)
    return Features(network, chosen[0], told.get(chosen[0])) if chosen else None


def _run(network: nn.Module, images: Tensor, hooks: dict[str, Callable[..., Any]]) -> Tensor:
    """Predict with a view of the network in evaluation mode that has these forward hooks."""
    dtype = computing_dtype(network, images)
    view = frozen_view(network, dtype)
    for name, hook in hooks.items():
        view.get_submodule(name).register_forward_hook(hook)
    with torch.inference_mode(False), torch.no_grad():
        return view(images.to(dtype))
