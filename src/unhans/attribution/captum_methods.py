"""Heatmaps by Captum: from the gradient of the target's logit, and from what it loses when parts are covered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.method import FINITE, NOT_NEGATIVE, POSITIVE, SEED, Method, attribute_batches, setting
from unhans.attribution.side_effects import seed_generators

ORDERS = {"l2": 2.0, "linf": float("inf")}
NORM = setting(" or ".join(ORDERS), lambda value: value in ORDERS)


@dataclass(frozen=True)
class Saliency(Method):
    """The norm of the gradient over channels, never negative (Simonyan et al. 2014; `linf` is theirs).

    Args:
        norm: "l2" or "linf", the largest absolute value.
    """

    meaning = "Saliency of the logit, {norm} norm over channels, at the input"

    norm: Literal["l2", "linf"] = field(default="l2", metadata=NORM)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the norm of the gradient over channels."""
        from captum.attr import Saliency as Gradient

        gradient = Gradient(network).attribute(images.requires_grad_(), target=target, abs=False)
        return torch.linalg.vector_norm(gradient, ORDERS[self.norm], dim=1)


@dataclass(frozen=True)
class InputXGradient(Method):
    """Input times gradient, summed over channels."""

    meaning = "Input × gradient of the logit, summed over channels, at the input"

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the sum over channels of input times gradient."""
        from captum.attr import InputXGradient as Product

        return sum_channels(Product(network).attribute(images.requires_grad_(), target=target))


@dataclass(frozen=True)
class IntegratedGradients(Method):
    """Gradients integrated on the straight line from a baseline (Sundararajan et al. 2017), summed over channels.

    A map sums to the difference of the logits of image and baseline, up to the error of Gauss–Legendre quadrature.

    Args:
        steps: points on the line.
        baseline: the value of every pixel at its start; 0 is the mean colour of normalised images.
        batch_size: images that pass the network at once, at most.
    """

    meaning = "Integrated gradients of the logit, {steps} steps from {baseline:g}, summed over channels, at the input"

    steps: int = field(default=50, metadata=POSITIVE)
    baseline: float = field(default=0.0, metadata=FINITE)
    batch_size: int = field(default=32, metadata=POSITIVE)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the sum over channels of the integrated gradients."""
        from captum.attr import IntegratedGradients as Integral

        settings = {"baselines": self.baseline, "n_steps": self.steps, "internal_batch_size": self.batch_size}
        integrate = partial(Integral(network).attribute, **settings)
        return sum_channels(attribute_batches(integrate, images, target, self.batch_size))


@dataclass(frozen=True)
class SmoothGrad(Method):
    """The mean gradient over noisy copies of the image (Smilkov et al. 2017), summed over channels.

    Every image sees the same noise, drawn from the seed: its map does not depend on the others of its batch. CPU and
    GPU draw different noise.

    Args:
        samples: noisy copies.
        noise: standard deviation of the noise, as a share of the image's range of values.
        seed: of the noise.
        batch_size: copies that pass the network at once, at most.
    """

    meaning = (
        "SmoothGrad of the logit, {samples} samples, noise of {noise:g} of the image's range, seed {seed}, "
        "summed over channels, at the input"
    )

    samples: int = field(default=25, metadata=POSITIVE)
    noise: float = field(default=0.15, metadata=NOT_NEGATIVE)
    seed: int = field(default=0, metadata=SEED)
    batch_size: int = field(default=32, metadata=POSITIVE)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the sum over channels of the mean gradient."""
        from captum.attr import NoiseTunnel
        from captum.attr import Saliency as Gradient

        tunnel = NoiseTunnel(Gradient(network))
        settings = {"abs": False, "nt_samples": self.samples, "nt_samples_batch_size": self.batch_size}
        return one_by_one(partial(tunnel.attribute, **settings), images, target, self.noise, self.seed)


@dataclass(frozen=True)
class GradientSHAP(Method):
    """Expected gradients (Lundberg & Lee 2017; Erion et al. 2021) from noisy baselines, summed over channels.

    The mean of (image - baseline) × gradient at random points between a noisy copy of the image and a random baseline.
    Every image sees the same draws, made from the seed: its map does not depend on the others of its batch. CPU and GPU
    draw different noise. All samples of one image pass the network at once.

    Args:
        samples: random points.
        baseline, spread: mean and standard deviation of a baseline's pixels.
        noise: standard deviation of the image's noise, as a share of its range of values.
        seed: of baselines, noise and points.
    """

    meaning = (
        "GradientSHAP of the logit, {samples} samples, baselines {baseline:g} ± {spread:g}, "
        "noise of {noise:g} of the image's range, seed {seed}, summed over channels, at the input"
    )

    samples: int = field(default=25, metadata=POSITIVE)
    baseline: float = field(default=0.0, metadata=FINITE)
    spread: float = field(default=0.1, metadata=NOT_NEGATIVE)
    noise: float = field(default=0.0, metadata=NOT_NEGATIVE)
    seed: int = field(default=0, metadata=SEED)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the sum over channels of the expected gradients."""
        from captum.attr import GradientShap

        settings = {"baselines": self._baselines(images), "n_samples": self.samples}
        return one_by_one(partial(GradientShap(network).attribute, **settings), images, target, self.noise, self.seed)

    def _baselines(self, images: Tensor) -> Tensor:
        """Draw as many baselines as samples; Captum then picks from them at random."""
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(self.samples, *images.shape[1:], generator=generator)
        return (self.baseline + self.spread * noise).to(images)


def one_by_one(explain: Callable[..., Tensor], images: Tensor, target: Tensor, noise: float, seed: int) -> Tensor:
    """Explain each image with the same random draws and noise of a share of its range; sum over channels."""

    def explain_one(image: Tensor, target: Tensor) -> Tensor:
        seed_generators(seed, image.device)
        return explain(image, target=target, stdevs=float(noise * (image.max() - image.min())))

    return sum_channels(attribute_batches(explain_one, images, target, 1))


@dataclass(frozen=True)
class Occlusion(Method):
    """What the logit loses when a square is covered (Zeiler & Fergus 2014); a pixel has the mean of its squares.

    Args:
        window: side of the square in pixels; None is a quarter of the image's shorter side.
        stride: pixels between squares; None is half of the window.
        baseline: the value of covered pixels; 0 is the mean colour of normalised images.
        batch_size: images that pass the network at once, at most.
    """

    meaning = "Occlusion of the logit by {baseline:g}, window {window}, stride {stride}, at the input"

    window: int | None = field(default=None, metadata=POSITIVE)
    stride: int | None = field(default=None, metadata=POSITIVE)
    baseline: float = field(default=0.0, metadata=FINITE)
    batch_size: int = field(default=64, metadata=POSITIVE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is not None and self.stride is not None and self.stride > self.window:
            raise ValueError(f"stride: expected at most the window of {self.window}, got {self.stride}.")

    @property
    def description(self) -> str:
        """Name window, stride and baseline."""
        window = "a quarter of the shorter side" if self.window is None else f"{self.window} pixels"
        stride = "half of it" if self.stride is None else f"{self.stride} pixels"
        return self.meaning.format(baseline=self.baseline, window=window, stride=stride)

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of the logit over the squares that cover each pixel."""
        from captum.attr import Occlusion as Cover

        window, stride = self.sizes(*images.shape[-2:])
        squares, steps = (images.shape[1], window, window), (images.shape[1], stride, stride)

        def cover(some: Tensor, target: Tensor) -> Tensor:
            at_once = max(1, self.batch_size // len(some))
            settings = {"baselines": self.baseline, "target": target, "perturbations_per_eval": at_once}
            return Cover(network).attribute(some, squares, steps, **settings)

        # the square covers all channels: they share the loss
        return attribute_batches(cover, images, target, self.batch_size)[:, 0]

    def sizes(self, height: int, width: int) -> tuple[int, int]:
        """Return window and stride in pixels for images of this size.

        Raises:
            ValueError: the window is larger than the image, or smaller than the stride.
        """
        side = min(height, width)
        window = max(1, side // 4) if self.window is None else self.window
        stride = max(1, window // 2) if self.stride is None else self.stride
        if window > side:
            raise ValueError(f"window: expected at most the image's shorter side of {side} pixels, got {window}.")
        if stride > window:
            raise ValueError(f"stride: expected at most the window of {window} pixels, got {stride}.")
        return window, stride
