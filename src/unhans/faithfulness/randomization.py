"""Sanity checks: do heatmaps change when what was learned is destroyed layer by layer? [Adebayo et al. 2018]"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.attribution import frozen_view, without_side_effects
from unhans.comparison import spearman
from unhans.lrp.tracing import computing_dtype


@dataclass(frozen=True)
class RandomizedStep:
    """How similar heatmaps are to those of the trained network once some of its layers are random.

    Attributes:
        layer: that became random at this step; those above it are random already.
        absolute: Spearman's correlation of |R| before and after for each image (n,); NaN where a map is constant.
        signed: likewise of R.
    """

    layer: str
    absolute: NDArray[np.float64]
    signed: NDArray[np.float64]


def layers_from_top(model: nn.Module, images: Tensor) -> list[str]:
    """Return the paths of all modules with parameters of their own, the one that runs last first.

    The model is not written.
    """
    network, order = frozen_view(model, computing_dtype(model, images)), []
    for name, module in network.named_modules():
        if any(True for _ in module.parameters(recurse=False)):
            module.register_forward_pre_hook(lambda module, inputs, name=name: order.append(name))
    with without_side_effects(images.device), torch.no_grad():
        network(images)
    return list(dict.fromkeys(reversed(order)))


def cascade(model: nn.Module, layers: Sequence[str], seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Give the network with one more layer random at every step, the same copy each time; the model is not written.

    The values of every parameter become normal ones with their mean and standard deviation. So scales stay as they
    are, and whatever the network has learned beyond them is lost. Adebayo et al. draw from the initial distribution,
    which not every module knows. Buffers, such as the statistics of batch norm, stay.
    """
    network = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(seed)
    for layer in layers:
        with torch.no_grad():
            for parameter in network.get_submodule(layer).parameters(recurse=False):
                drawn = torch.randn(parameter.shape, generator=generator).to(parameter)
                parameter.copy_(parameter.mean() + parameter.std(correction=0) * drawn)
        yield layer, network


def randomized_similarity(
    model: nn.Module,
    heatmaps_of: Callable[[nn.Module], NDArray[np.floating]],
    layers: Sequence[str],
    seed: int = 0,
    at: Collection[str] | None = None,
    advance: Callable[[str], None] = lambda layer: None,
) -> list[RandomizedStep]:
    """Compare heatmaps before and after, while layers become random one after the other from the top.

    Args:
        model: the trained network; it is not written.
        heatmaps_of: from a network to heatmaps (n, H, W) of the same images and classes.
        layers: in the order in which they become random; see `layers_from_top`.
        seed: of the random parameters.
        at: the layers after which heatmaps are compared; None is all.
        advance: called with each of these that is done.
    """
    before = np.asarray(heatmaps_of(model))
    found = []
    for layer, network in cascade(model, layers, seed):
        if at is not None and layer not in at:
            continue
        after = np.asarray(heatmaps_of(network))
        found.append(RandomizedStep(layer, spearman(np.abs(before), np.abs(after)), spearman(before, after)))
        advance(layer)
    return found
