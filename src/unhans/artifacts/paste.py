"""Laying an RGBA layer over images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2


class Paste(v2.Transform):
    """Lay one RGBA layer over images: (1 − α)·image + α·colour.

    layer: (4, H, W) in [0, 1]; images: (…, 3, H, W) in [0, 1]. Raises ValueError for another size.
    """

    def __init__(self, layer: Tensor) -> None:
        super().__init__()
        self.layer = layer

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Return the images with the layer on top; shape and device are the images'."""
        if inpt.shape[-2:] != self.layer.shape[-2:]:
            layer, image = tuple(self.layer.shape[-2:]), tuple(inpt.shape[-2:])
            raise ValueError(f"a layer fits images of its own size: expected {layer} pixels, got {image}")
        layer = self.layer.to(inpt)
        return torch.lerp(inpt, layer[:3].expand_as(inpt), layer[3:].expand_as(inpt))
