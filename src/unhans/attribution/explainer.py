"""The interface of every explainer: from a network to a function from images to heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from unhans.attribution.heatmap import sum_channels
from unhans.lrp import LRP, composite_by_name


class Heatmaps(NamedTuple):
    """Relevance summed over channels (n, H, W), and the logits (n, C) of the same pass."""

    maps: Tensor
    logits: Tensor


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
    """LRP heatmaps of the input by a named composite.

    Args:
        composite: a name in `unhans.lrp.COMPOSITES`.
        parameters: what that composite takes, such as epsilon, or low and high of `epsilon_gamma_box`.
    """

    composite: str = "epsilon_plus_flat"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        composite_by_name(self.composite, **self.parameters)

    @property
    def description(self) -> str:
        """Name the rule set."""
        return f"LRP {self.composite} of the logit, at the input"

    def of(self, model: nn.Module) -> Explain:
        """Trace the model; raises UnsupportedModelError naming what has no rule."""
        lrp = LRP(model, composite_by_name(self.composite, **self.parameters))

        def explain(images: Tensor, target: int | Tensor) -> Heatmaps:
            relevance, logits = lrp.explain(images, target)
            return Heatmaps(sum_channels(relevance), logits)

        return explain
