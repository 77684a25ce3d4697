"""The interface of every explainer: from a network to a function from images to heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from unhans.attribution.heatmap import sum_channels
from unhans.attribution.places import check_channel_axis, layout_at
from unhans.lrp import LRP, Layout, composite_by_name
from unhans.lrp.composite import Composite, resolve


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
