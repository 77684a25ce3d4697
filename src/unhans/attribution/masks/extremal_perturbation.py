"""Masks of a given area that keep a class's logit as high as they can (Fong, Patrick & Vedaldi 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from unhans.attribution.masks.mask_generator import MaskGenerator
from unhans.attribution.masks.perturbation import Blurring
from unhans.attribution.method import POSITIVE, Method, Relevance, setting
from unhans.attribution.side_effects import fastest_view, frozen_view, without_side_effects
from unhans.lrp import target_classes
from unhans.lrp.tracing import computing_dtype

Variant = Literal["preserve", "delete", "dual"]
Reward = Literal["logit", "contrastive"]
Start = Literal["uniform", "relevance"]

REFERENCE = 224  # pixels of the side for which step, sigma and blur are meant
ITERATIONS = 800  # of the source, for which the rate of learning and the growth are meant
RATE, MOMENTUM = 0.01, 0.9
AREA_WEIGHT, GROWTH = 300.0, 1.0035  # of the area's penalty, at first and from step to step
CHECK_EVERY, STILL = 25, 0.02  # steps, and how far a mask that is done moves in so many
AREA_ERROR = 0.01  # of a mask that is done, in shares of the image

ABOVE_ZERO = setting("a number above 0", lambda value: isinstance(value, int | float) and 0 < value < inf)
AREAS = setting(
    "shares of the image between 0 and 1",
    lambda value: bool(_areas(value)) and all(isinstance(each, float) and 0 < each < 1 for each in _areas(value)),
)
SHARE = setting("a share above 0, at most 1", lambda value: isinstance(value, int | float) and 0 < value <= 1)


class SmallestAreas(NamedTuple):
    """The smallest areas under which images keep a share of their score.

    Attributes:
        areas: in shares of the image (n,); NaN where none of those that were tried is enough.
        masks: of these areas, (n, H, W) in [0, 1]; where none is enough, of the largest one.
        kept: share of the score that the mask keeps (n,); NaN where blurring the whole image does not lower the score,
            whose masks are of the smallest area.
    """

    areas: Tensor
    masks: Tensor
    kept: Tensor


def _areas(area: float | Sequence[float]) -> tuple[float, ...]:
    return tuple(area) if isinstance(area, Sequence) else (area,)


def _one_of(choices: Any) -> dict[str, Any]:
    names = get_args(choices)
    return setting(f"one of {', '.join(names)}", lambda value: value in names)


@dataclass(frozen=True)
class ExtremalPerturbation(Method):
    """The smooth mask of a given area under which the network keeps the class's logit best.

    The mask m maximises f(x ⊗ m) − λ mean((sort(m) − r)²): x ⊗ m is blurred where m is small, r holds 1 for the share
    `area` of the pixels and 0 for the others, and λ grows. All images of a batch are optimised at once, each by itself,
    and leave the batch when their mask rests.

    Args:
        area: share of the image that the mask keeps; of several the map is the mean of their masks.
        share: of the score: the map is the mask of the smallest of the areas that keeps so much of what the image
            scores above its blurred copy (for "delete": that takes so much of it away), of the largest area where none
            does. None is the mean.
        steps: iterations at most.
        step: pixels between the mask's parameters, of an image of 224 pixels (in proportion for others).
        sigma: reach of one parameter, in the same pixels.
        blur: standard deviation of the strongest blur, in the same pixels.
        variant: "preserve" keeps what the mask shows, "delete" takes it away, "dual" does both.
        reward: the "logit", or the logit minus the largest other one ("contrastive").
        start: from "uniform" masks (of ones, and of zeros where "delete" takes nothing away yet), or from the
            "relevance" of LRP, which needs fewer steps.
        jitter: mirror the images at every second step, so that masks do not fit single pixels.
        batch_size: images at once, at most.

    Raises:
        ValueError: a setting out of range.
    """

    meaning = (
        "Extremal perturbation of the {reward}, area {areas}{kept}, {variant}, {steps} steps from {start} masks, "
        "grid {step:g}, reach {sigma:g}, blur {blur:g} of 224 pixels{jittered}, at the input"
    )

    area: float | Sequence[float] = field(default=0.05, metadata=AREAS)
    steps: int = field(default=300, metadata=POSITIVE)
    step: float = field(default=7.0, metadata=ABOVE_ZERO)
    sigma: float = field(default=21.0, metadata=ABOVE_ZERO)
    blur: float = field(default=20.0, metadata=ABOVE_ZERO)
    variant: Variant = field(default="preserve", metadata=_one_of(Variant))
    reward: Reward = field(default="logit", metadata=_one_of(Reward))
    start: Start = field(default="uniform", metadata=_one_of(Start))
    jitter: bool = True
    batch_size: int = field(default=16, metadata=POSITIVE)
    share: float | None = field(default=None, metadata=SHARE)

    @property
    def areas(self) -> tuple[float, ...]:
        """The areas, in shares of the image."""
        return _areas(self.area)

    @property
    def description(self) -> str:
        """Name the areas, the variant and the reward."""
        settings = {each.name: getattr(self, each.name) for each in fields(self)}
        areas = ", ".join(f"{each:g}" for each in self.areas)
        kept = "" if self.share is None else f" (the smallest for {self.share:g} of the score)"
        jittered = ", mirrored in turn" if self.jitter else ""
        return self.meaning.format(**settings, areas=areas, kept=kept, jittered=jittered)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return masks (n, H, W) in [0, 1]: the mean over areas, or of the smallest area that keeps `share`."""
        if self.share is None:
            return self.masks(network, images, target).mean(0)
        return self._smallest(network, images, target, self.share).masks

    def masks(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return a mask for each area and image: (areas, n, H, W)."""
        return torch.stack([self._of_area(network, images, target, area) for area in self.areas])

    def smallest_area(
        self, model: nn.Module, images: Tensor, target: int | Tensor, share: float = 0.9
    ) -> SmallestAreas:
        """Return the smallest of the areas under which each image keeps a share of its score.

        The areas are tried in ascending order, and images that keep enough leave. Scores are those of the rounded
        masks; see `share`, which this one takes the place of.

        Args:
            model: it is not written.
            images: (n, C, H, W).
            target: a class, or the class of each image (n,).
            share: above 0, at most 1.
        """
        with without_side_effects(images.device):
            dtype = computing_dtype(model, images)
            network, inputs = frozen_view(model, dtype), images.detach().to(dtype)
            with torch.no_grad():
                classes = target_classes(network(inputs), target)
            return self._smallest(network, inputs, classes, share)

    def _smallest(self, network: nn.Module, images: Tensor, target: Tensor, share: float) -> SmallestAreas:
        found = SmallestAreas(
            images.new_full((len(images),), torch.nan), images[:, 0].clone(), images.new_empty(len(images))
        )
        left = torch.arange(len(images), device=images.device)
        for area in sorted(self.areas):
            masks = self._of_area(network, images[left], target[left], area)
            kept = self._kept(network, images[left], target[left], masks)
            found.masks[left], found.kept[left] = masks, kept
            found.areas[left[kept >= share]] = area
            left = left[kept < share]
            if not len(left):
                break
        return found

    def _of_area(self, network: nn.Module, images: Tensor, target: Tensor, area: float) -> Tensor:
        batches = zip(images.split(self.batch_size), target.split(self.batch_size), strict=True)
        return torch.cat([self._optimised(network, some, classes, area) for some, classes in batches])

    @torch.no_grad()
    def _kept(self, network: nn.Module, images: Tensor, target: Tensor, masks: Tensor) -> Tensor:
        """Return which share of the score rounded masks keep, of "delete" which they take away (n,)."""
        cut, found = (masks > 0.5).to(masks), []
        for rows in torch.arange(len(images), device=images.device).split(self.batch_size):
            blurring, shown = self._parts(images[rows])[1], cut[rows]
            asked = (torch.ones_like(shown), torch.zeros_like(shown), 1 - shown if self.variant == "delete" else shown)
            whole, nothing, score = (self._score(network(blurring(each)), target[rows]) for each in asked)
            kept = whole - score if self.variant == "delete" else score - nothing
            found.append(torch.where(whole > nothing, kept / (whole - nothing), torch.nan))
        return torch.cat(found)

    def _optimised(self, network: nn.Module, images: Tensor, target: Tensor, area: float) -> Tensor:
        """Optimise one mask for each image; those whose mask rests leave the batch."""
        generator, blurring = self._parts(images)
        parameters = self._first(generator, network, images, target)
        faster, layout = fastest_view(network, images[:1])
        done, left = torch.empty_like(images[:, 0]), torch.arange(len(images), device=images.device)
        velocity, before, weight = torch.zeros_like(parameters), generator(parameters), AREA_WEIGHT
        for index in range(self.steps):
            parameters.requires_grad_()
            masks = generator(parameters)
            flipped = self.jitter and index % 2 == 1
            loss = weight * area_penalty(masks, area) - self._reward(faster, layout, blurring, masks, target, flipped)
            (gradient,) = torch.autograd.grad(loss.sum(), parameters)
            velocity = MOMENTUM * velocity + (1 - MOMENTUM) * gradient
            parameters = (parameters.detach() - RATE * ITERATIONS / self.steps * velocity).clamp(0, 1)
            weight *= GROWTH ** (ITERATIONS / self.steps)
            if index % CHECK_EVERY == CHECK_EVERY - 1:
                now = generator(parameters)
                moving = ~_rests(now, before, area)
                done[left[~moving]] = now[~moving]
                left, target, blurring = left[moving], target[moving], blurring.take(moving)
                parameters, velocity, before = parameters[moving], velocity[moving], now[moving]
                if not len(left):
                    return done
        done[left] = generator(parameters)
        return done

    def _parts(self, images: Tensor) -> tuple[MaskGenerator, Blurring]:
        """Return the mask's grid and the blurred copies, in proportion to the images' size."""
        height, width = images.shape[-2:]
        scale = min(height, width) / REFERENCE
        step = max(1.0, self.step * scale)
        sigma = self.sigma / self.step * step  # of small images one step is one pixel
        return MaskGenerator(height, width, step, sigma, images.device), Blurring(images, max(0.5, self.blur * scale))

    def _first(self, generator: MaskGenerator, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        if self.start == "uniform":
            return images.new_full((len(images), *generator.shape), 0.0 if self.variant == "delete" else 1.0)
        maps = Relevance().of(network)(images, target).maps.clamp(min=0).to(images)
        nodes = generator.at_nodes(maps)
        ranks = nodes.flatten(1).argsort(1).argsort(1)
        return (ranks / (ranks.shape[1] - 1)).view_as(nodes).to(images)

    def _reward(
        self,
        network: nn.Module,
        layout: torch.memory_format,
        blurring: Blurring,
        masks: Tensor,
        target: Tensor,
        flipped: bool = False,
    ) -> Tensor:
        """Return what each image's mask is to maximise (n,)."""

        def score(kept: Tensor) -> Tensor:
            shown = blurring(kept)
            logits = network((shown.flip(-1) if flipped else shown).contiguous(memory_format=layout))
            return self._score(logits, target)

        preserved = score(masks) if self.variant != "delete" else 0.0
        return preserved - (score(1 - masks) if self.variant != "preserve" else 0.0)

    def _score(self, logits: Tensor, target: Tensor) -> Tensor:
        own = logits.gather(1, target[:, None])[:, 0]
        if self.reward == "logit" or logits.shape[1] == 1:
            return own
        return own - logits.scatter(1, target[:, None], -torch.inf).amax(1)


def area_penalty(masks: Tensor, area: float) -> Tensor:
    """Return mean((sort(m) − r)²) of masks (n, H, W), r being 1 for the share `area` of the pixels, else 0: (n,).

    Nothing is sorted: the largest pixels are to be 1. Those that are equal to the smallest of them share its place, so
    that none is preferred for where it lies.
    """
    values = masks.flatten(1)
    count = max(1, round(area * values.shape[1]))
    with torch.no_grad():
        limit = values.kthvalue(values.shape[1] - count + 1, 1, keepdim=True).values
        above, equal = values > limit, values == limit
        wanted = above + equal * ((count - above.sum(1, keepdim=True)) / equal.sum(1, keepdim=True))
    return (wanted * (1 - values).square() + (1 - wanted) * values.square()).mean(1)


def _rests(masks: Tensor, before: Tensor, area: float) -> Tensor:
    """Tell of each mask whether it has stopped to move and has its area (n,)."""
    still = (masks - before).abs().flatten(1).amax(1) < STILL
    return still & ((masks > 0.5).flatten(1).float().mean(1) - area).abs().le(AREA_ERROR)
