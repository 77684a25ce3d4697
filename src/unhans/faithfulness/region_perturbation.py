"""Region perturbation: how fast does the score fall when what a heatmap calls relevant is taken away?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.attribution import fastest_view
from unhans.faithfulness.perturbation_curves import PerturbationCurves
from unhans.faithfulness.regions import Order, RegionGrid, image_keys, order_regions
from unhans.faithfulness.replacement import DRAWN, Perturbed, PixelRange, Replacement, fill
from unhans.lrp.tracing import logits_of

Score = Literal["logit", "probability"]
Advance = Callable[[int], None]  # called with a number of perturbed images

REGION, SIDE = 9, 227  # of the source: regions of 9 pixels in images of 227
REGIONS = 100  # of the source: that many are replaced


def usual_region(size: tuple[int, int]) -> int:
    """Return the side of a region that is in proportion to that of the source, at least a pixel."""
    return max(1, round(REGION / SIDE * min(size)))


def replaceable(size: tuple[int, int], region: int, replace: Replacement) -> int:
    """Return how many regions of images of a size can be replaced: all, or all but one that "inpaint" paints from.

    Raises:
        ValueError: a region is larger than the image, or the only one is to be painted from nothing.
    """
    most = RegionGrid(size, region).count - (replace == "inpaint")
    if not most:
        raise ValueError(
            f"replace=inpaint paints from what is left, but images of {size[0]}×{size[1]} pixels are one region of "
            f"{region}×{region}; make region smaller."
        )
    return most


@dataclass(frozen=True)
class RegionPerturbation:
    """Regions of a grid are replaced one after the other, and the score of a class is asked after every step.

    [003 §3.4.1, Samek et al. 2017]: x⁰ = x, x^k is x^(k−1) with its k-th region replaced. As every region is replaced
    once, x^k is one fully replaced image laid over the first k regions: all steps and images are batches of one pass.

    `RegionPerturbation(region=1, per_step=pixels // 100, steps=10, replace="flip")` is the variant on digits at ±1, in
    which every step flips the sign of the 1 % most relevant pixels [003 fig. 3.4].

    Args:
        region: side of a region in pixels.
        steps: how many.
        per_step: regions that are replaced in a step.
        replace: what takes their place; see `unhans.faithfulness.fill`.
        repeats: how often noise and random orders are drawn; what is not drawn is done once.
        of: "logit" of the class, or its "probability".
        constant: of replace="constant", from 0, the lowest value of a pixel, to 1, the highest.
        seed: of all that is drawn.
        at_once: perturbed images that pass the network together, which bounds memory.

    Raises:
        ValueError: a number is below 1, or a constant lies outside of [0, 1].
    """

    region: int = 9
    steps: int = 100
    per_step: int = 1
    replace: Replacement = "uniform"
    repeats: int = 10
    of: Score = "logit"
    constant: float = 0.0
    seed: int = 0
    at_once: int = 32

    def __post_init__(self) -> None:
        for name in ("region", "steps", "per_step", "repeats", "at_once"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} expects 1 or more, got {getattr(self, name)}.")
        if not 0 <= self.constant <= 1:
            raise ValueError(f"constant expects a number from 0 to 1, got {self.constant}.")

    def grid(self, size: tuple[int, int]) -> RegionGrid:
        """Return the regions of images of a size.

        Raises:
            ValueError: a region is larger than the image, or there are more steps than regions.
        """
        grid, most = RegionGrid(size, self.region), replaceable(size, self.region, self.replace)
        if self.steps * self.per_step > most:
            raise ValueError(
                f"steps expects at most {most // self.per_step} for {grid.count} region{'s'[: grid.count > 1]} of "
                f"{self.region}×{self.region} pixels, {self.per_step} a step, got {self.steps}."
            )
        return grid

    def draws(self, order: Order) -> int:
        """Return how often an order is repeated: once, where nothing is drawn."""
        return self.repeats if order == "random" or self.replace in DRAWN else 1

    def orders(self, heatmaps: NDArray[np.floating], images: Tensor, order: Order) -> NDArray[np.int64]:
        """Return the regions that are replaced, in their order, in every repeat (repeats, n, steps · per_step).

        Args:
            heatmaps: (n, H, W), signed; a region's score is their sum in it. The random order does not depend on them.
            images: (n, C, H, W) that they explain.
            order: "morf", "lerf" or "random".
        """
        scores, keys = self.grid(tuple(images.shape[2:])).sums(heatmaps), image_keys(images)
        drawn = self.draws(order)
        found = [order_regions(scores, order, keys, self.seed, r) for r in range(drawn if order == "random" else 1)]
        kept = np.stack(found)[..., : self.steps * self.per_step]
        return np.broadcast_to(kept, (drawn, *kept.shape[1:]))

    def perturbed(
        self, images: Tensor, orders: NDArray[np.int64], repeat: int, valid: PixelRange, pool: Tensor | None = None
    ) -> tuple[Perturbed, Tensor]:
        """Return the images that can be perturbed, and the step after which each pixel is replaced (n, H, W).

        `perturbed(rows, steps[rows] <= k)` are the images after k steps.
        """
        grid, keys = self.grid(tuple(images.shape[2:])), image_keys(images)
        steps = torch.from_numpy(grid.steps_of(orders[repeat], self.per_step)).to(images.device)
        given = (self.replace, valid, keys, self.region, self.constant, pool, self.seed, repeat)
        return fill(images, *given), steps

    def curves(
        self,
        model: nn.Module,
        images: Tensor,
        targets: Tensor,
        orders: NDArray[np.int64],
        valid: PixelRange,
        pool: Tensor | None = None,
        advance: Advance = lambda images: None,
    ) -> PerturbationCurves:
        """Return the scores after every step; the model is not written.

        Args:
            model: returns logits (n, classes).
            images: (n, C, H, W), as it takes them, on its device.
            targets: the class of each (n,).
            orders: as `orders` returns them.
            valid: the range of pixels.
            pool: other images, which replace="dirichlet" mixes; None is `images`.
            advance: called with the number of perturbed images after each pass.
        """
        images = images.detach()
        network, layout = fastest_view(model, images[:1])
        found = []
        for repeat in range(len(orders)):
            perturbed, steps = self.perturbed(images, orders, repeat, valid, pool)
            found.append(self._asked(network, perturbed, steps, targets, layout, advance))
        scores, predicted = (np.stack(each, axis=1) for each in zip(*found, strict=True))
        return PerturbationCurves(scores, predicted != predicted[..., :1])

    def _asked(
        self,
        network: nn.Module,
        perturbed: Perturbed,
        steps: Tensor,
        targets: Tensor,
        layout: torch.memory_format,
        advance: Advance,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The scores and the predicted classes (n, steps + 1) of one repeat; images and steps share their passes."""
        shape = len(steps), self.steps + 1
        scores, predicted = [], []
        for asked in torch.arange(shape[0] * shape[1], device=steps.device).split(self.at_once):
            rows, step = asked // shape[1], asked % shape[1]
            batch = perturbed(rows, steps[rows] <= step[:, None, None]).contiguous(memory_format=layout)
            logits = _logits(network, batch)
            values = logits.softmax(1) if self.of == "probability" else logits
            scores.append(values.gather(1, targets.to(logits.device)[rows][:, None])[:, 0].cpu())
            predicted.append(logits.argmax(1).cpu())
            advance(len(asked))
        return torch.cat(scores).reshape(shape).numpy(), torch.cat(predicted).reshape(shape).numpy()


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        return logits_of(network(images)).float()
