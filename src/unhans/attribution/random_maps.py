"""Heatmaps that explain nothing: what a measure makes of them is what it makes of chance."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor, nn

from unhans.attribution.method import Method, check_seed


@dataclass(frozen=True)
class RandomMaps(Method):
    """Independent standard normal pixels.

    A map is drawn from the seed and the image's values alone: it does not depend on model, target, device or the other
    images of the batch. Equal images have equal maps.

    Args:
        seed: of the maps.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    @property
    def description(self) -> str:
        """Name the seed."""
        return f"Random heatmaps (a control without a target), seed {self.seed}"

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return normal noise for each image."""
        return torch.stack([self._drawn(image) for image in images.detach().float().cpu()]).to(images.device)

    def _drawn(self, image: Tensor) -> Tensor:
        digest = blake2b(image.contiguous().numpy().tobytes(), digest_size=8).digest()
        generator = np.random.default_rng([self.seed, int.from_bytes(digest, "little")])
        return torch.from_numpy(generator.standard_normal(image.shape[1:], np.float32))
