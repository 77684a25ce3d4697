"""The interface of every attribution method: from a network to a function from images to heatmaps, in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.places import check_channel_axis, layout_at
from unhans.attribution.side_effects import frozen_view, isolated
from unhans.lrp import LRP, Composite, composite_by_name, resolve, target_classes
from unhans.lrp.tracing import Layout, computing_dtype


class Heatmaps(NamedTuple):
    """Relevance summed over channels (n, H, W), and the logits (n, C) of the same pass.

    latent: by layer the relevance of its channels pooled over places (n, 2, C); see `unhans.attribution.latent`.
    """

    maps: Tensor
    logits: Tensor
    latent: Mapping[str, Tensor] = MappingProxyType({})


Explain = Callable[[Tensor, "int | Tensor"], Heatmaps]


class Attribution(Protocol):
    """A way to explain: `description` says what a heatmap of it means (law 7)."""

    @property
    def description(self) -> str:
        """Name the method, its rules and its target."""
        ...

    def of(self, model: nn.Module) -> Explain:
        """Return the function from images (n, C, H, W) and targets to heatmaps; the model is not written."""
        ...


@dataclass(frozen=True)
class Relevance:
    """LRP heatmaps by a composite, of the input or of a layer with feature maps.

    Args:
        composite: a name in `unhans.lrp.COMPOSITES`, or a list of (what matches, rule); see `unhans.lrp.Match`.
        parameters: what a named composite takes, such as epsilon, or low and high of `epsilon_gamma_box`.
        layer: path of the module whose output's relevance is shown, summed over its channels: feature maps
            (n, C, h, w) or (n, h, w, C), or tokens (n, N, C), of which those of the grid of patches are shown and a
            class token is left out.
        channel_axis: 1 or 3, of a layer with four axes whose channels what the network computes does not tell.
    """

    composite: str | Sequence[Any] = "epsilon_plus_flat"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    layer: str | None = None
    channel_axis: int | None = None

    def __post_init__(self) -> None:
        check_channel_axis(self.channel_axis)
        self._rules()

    @property
    def description(self) -> str:
        """Name the rule set, its parameters and the layer."""
        given = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        place = "the input" if self.layer is None else f"layer {self.layer}"
        return f"LRP {self._name()}{f' ({given})' if given else ''} of the logit, at {place}"

    def lrp(self, model: nn.Module) -> LRP:
        """Return LRP with these rules."""
        return LRP(model, self._rules())

    def of(self, model: nn.Module) -> Explain:
        """Return LRP on the model; a call raises UnsupportedModelError naming what has no rule."""
        lrp = self.lrp(model)
        layouts: dict[torch.Size, Layout] = {}  # by the shape of an image

        def explain(images: Tensor, target: int | Tensor) -> Heatmaps:
            relevance, logits = lrp.explain(images, target, layer=self.layer)
            if self.layer is None:
                return Heatmaps(sum_channels(relevance), logits)
            size = images.shape[1:]
            if size not in layouts:
                layouts[size] = layout_at(model, images, self.layer, relevance.shape, self.channel_axis)
            return Heatmaps(layouts[size].heatmap(relevance), logits)

        return explain

    def _rules(self) -> Composite:
        if isinstance(self.composite, str):
            return composite_by_name(self.composite, **self.parameters)
        if self.parameters:
            raise ValueError("parameters belong to a composite given by name; in a list they stand with the rules.")
        return resolve(self.composite)

    def _name(self) -> str:
        """The composite's name, or its entries."""
        if isinstance(self.composite, str):
            return self.composite
        return "[" + "; ".join(f"{match}: {rule}" for match, rule in self._rules()) + "]"


Advance = Callable[[int], None]


class Explained(NamedTuple):
    """Heatmaps (n, H, W) for a label, top-1 classes (n,) and ranks of the label (n,), 0 = first."""

    heatmaps: NDArray[np.float32]
    prediction: NDArray[np.int64]
    rank: NDArray[np.int64]


def explained(
    explain: Explain,
    images: Tensor,
    label: int,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    advance: Advance = lambda samples: None,
) -> Explained:
    """Explain images (n, C, H, W) for one label; advance is called with the number of samples after each batch."""
    maps, scores, _ = explain_all(explain, images, torch.full((len(images),), label), batch_size, device, advance)
    rank = (scores > scores[:, [label]]).sum(1)
    return Explained(maps.numpy(), scores.argmax(1).numpy(), rank.numpy())


def explain_all(
    explain: Explain,
    images: Tensor,
    targets: Tensor,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    advance: Advance = lambda samples: None,
) -> Heatmaps:
    """Explain images (n, C, H, W) for their targets (n,) batch by batch; the results are float32 and on the CPU."""
    maps, logits, latent = [], [], []
    for batch, classes in zip(images.split(batch_size), targets.split(batch_size), strict=True):
        found = explain(batch.to(device), classes.to(device))
        maps.append(found.maps.float().cpu())
        logits.append(found.logits.float().cpu())
        latent.append({layer: pooled.float().cpu() for layer, pooled in found.latent.items()})
        advance(len(batch))
    layers = {layer: torch.cat([each[layer] for each in latent]) for layer in latent[0]}
    return Heatmaps(torch.cat(maps), torch.cat(logits), layers)


class Method(ABC):
    """An `Attribution` that needs no more than a network to run: it reads the model anew at every call.

    Half-precision models are explained in float32. The heatmaps are float32 and lie on the images' device.
    """

    signed: ClassVar[bool] = True  # whether values below zero mean something

    @property
    @abstractmethod
    def description(self) -> str:
        """Name the method, its settings and its target."""

    @abstractmethod
    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return heatmaps (n, H, W) for classes (n,); the network and the images are ours to use."""

    def of(self, model: nn.Module) -> Explain:
        """Return the function from images (n, C, H, W) and targets to heatmaps; the model is not written."""

        def explain(images: Tensor, target: int | Tensor) -> Heatmaps:
            if images.ndim != 4:
                raise ValueError(f"Images must have the shape (n, C, H, W); got {tuple(images.shape)}.")
            with isolated(images.device):
                network = frozen_view(model, computing_dtype(model, images))
                inputs = images.detach().clone().to(computing_dtype(model, images))
                with torch.no_grad():
                    logits = network(inputs)
                classes = target_classes(logits, target)
                if classes.dim() == 2:
                    raise ValueError(f"target: only LRP takes several classes a sample, got {tuple(classes.shape)}.")
                maps = self.attribute(network, inputs, classes) if len(inputs) else inputs.sum(1)
                return Heatmaps(self._finite(maps.detach().float()), logits)

        return explain

    def _finite(self, maps: Tensor) -> Tensor:
        if not bool(maps.isfinite().all()):
            raise ValueError(f"Heatmaps must be finite; got NaN or infinite values from {self.description}.")
        return maps


def in_batches(images: Tensor, target: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Split images and their classes into batches."""
    return zip(images.split(size), target.split(size), strict=True)


def check_positive(name: str, value: int) -> None:
    """Raise a ValueError unless the setting is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: expected a positive integer, got {value!r}.")


def check_level(name: str, value: float) -> None:
    """Raise a ValueError unless the setting is a finite number that is not negative."""
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"{name}: expected a number from 0 on, got {value!r}.")


def check_number(name: str, value: float) -> None:
    """Raise a ValueError unless the setting is a finite number."""
    if not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise ValueError(f"{name}: expected a finite number, got {value!r}.")


def check_seed(value: int) -> None:
    """Raise a ValueError unless the seed is one that NumPy and torch take."""
    if not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError(f"seed: expected an integer from 0 to 2³² - 1, got {value!r}.")
