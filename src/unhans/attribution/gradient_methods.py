"""Heatmaps from the gradient of the target's logit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.method import Method, check_level, check_number, check_positive, check_seed, in_batches
from unhans.attribution.side_effects import seed_generators

ORDERS = {"l2": 2.0, "linf": float("inf")}


@dataclass(frozen=True)
class Saliency(Method):
    """The norm of the gradient over channels, never negative (Simonyan et al. 2014; `linf` is theirs).

    Args:
        norm: "l2" or "linf", the largest absolute value.
    """

    signed: ClassVar[bool] = False

    norm: Literal["l2", "linf"] = "l2"

    def __post_init__(self) -> None:
        if self.norm not in ORDERS:
            raise ValueError(f"norm: expected {' or '.join(ORDERS)}, got {self.norm!r}.")

    @property
    def description(self) -> str:
        """Name the norm."""
        return f"Saliency of the logit, {self.norm} norm over channels, at the input"

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the norm of the gradient over channels."""
        from captum.attr import Saliency as Gradient

        gradient = Gradient(network).attribute(images.requires_grad_(), target=target, abs=False)
        return torch.linalg.vector_norm(gradient, ORDERS[self.norm], dim=1)


@dataclass(frozen=True)
class InputXGradient(Method):
    """Input times gradient, summed over channels."""

    @property
    def description(self) -> str:
        """Name the method."""
        return "Input × gradient of the logit, summed over channels, at the input"

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

    steps: int = 50
    baseline: float = 0.0
    batch_size: int = 32

    def __post_init__(self) -> None:
        check_positive("steps", self.steps)
        check_number("baseline", self.baseline)
        check_positive("batch_size", self.batch_size)

    @property
    def description(self) -> str:
        """Name steps and baseline."""
        return (
            f"Integrated gradients of the logit, {self.steps} steps from {self.baseline:g}, "
            "summed over channels, at the input"
        )

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the sum over channels of the integrated gradients."""
        from captum.attr import IntegratedGradients as Integral

        integral = Integral(network)
        settings = {"baselines": self.baseline, "n_steps": self.steps, "internal_batch_size": self.batch_size}
        parts = [
            integral.attribute(some, target=classes, **settings)
            for some, classes in in_batches(images, target, self.batch_size)
        ]
        return sum_channels(torch.cat(parts))


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

    samples: int = 25
    noise: float = 0.15
    seed: int = 0
    batch_size: int = 32

    def __post_init__(self) -> None:
        check_positive("samples", self.samples)
        check_level("noise", self.noise)
        check_seed(self.seed)
        check_positive("batch_size", self.batch_size)

    @property
    def description(self) -> str:
        """Name the noise."""
        return (
            f"SmoothGrad of the logit, {self.samples} samples, noise of {self.noise:g} of the image's range, "
            f"seed {self.seed}, summed over channels, at the input"
        )

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

    samples: int = 25
    baseline: float = 0.0
    spread: float = 0.1
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive("samples", self.samples)
        check_number("baseline", self.baseline)
        check_level("spread", self.spread)
        check_level("noise", self.noise)
        check_seed(self.seed)

    @property
    def description(self) -> str:
        """Name baselines and noise."""
        return (
            f"GradientSHAP of the logit, {self.samples} samples, baselines {self.baseline:g} ± {self.spread:g}, "
            f"noise of {self.noise:g} of the image's range, seed {self.seed}, summed over channels, at the input"
        )

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
    parts = []
    for image, label in in_batches(images, target, 1):
        seed_generators(seed, images.device)
        deviation = float(noise * (image.max() - image.min()))
        parts.append(explain(image, target=label, stdevs=deviation))
    return sum_channels(torch.cat(parts))
