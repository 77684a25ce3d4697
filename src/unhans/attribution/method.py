"""What the methods of the zoo share: the pass round a function from a network and images to heatmaps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from unhans.attribution.explainer import Explain, Heatmaps
from unhans.attribution.isolation import frozen_view, isolated
from unhans.lrp.target import target_classes
from unhans.lrp.view import computing_dtype


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
