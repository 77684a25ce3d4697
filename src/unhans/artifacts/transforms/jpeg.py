"""Images stored as JPEG at a low quality: blocks of 8 × 8 pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

BLOCK = 8
_SEAM = 2.5  # steps of 8 bits per unit of 50 / quality: larger jumps between blocks are edges of the picture


@dataclass(frozen=True, eq=False)
class Jpeg:
    """Encodes images as JPEG and decodes them again.

    quality: 1 … 95, as Pillow counts. Undoing only softens the seams between blocks: what the encoding left out does
    not come back. Raises ValueError for another quality.
    """

    quality: int
    name: ClassVar[str] = "JPEG compression"

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ValueError(f"the quality of a JPEG must be 1 … 95, got {self.quality}")

    @property
    def sentence(self) -> str:
        """At which quality images are encoded."""
        return f"encodes images as JPEG at quality {self.quality}"

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] as they are after encoding."""
        return torch.stack([self._of(image) for image in images]).to(images) if len(images) else images.clone()

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with softer seams between the blocks."""
        most = min(0.25, _SEAM * 50 / self.quality / 255)
        return _softened(_softened(images, most).mT, most).mT.clamp(0, 1).contiguous()

    def _of(self, image: Tensor) -> Tensor:
        file = io.BytesIO()
        to_pil_image((image.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu()).save(
            file, format="JPEG", quality=self.quality
        )
        with Image.open(file) as decoded:
            return pil_to_tensor(decoded.convert("RGB")) / 255


def _softened(images: Tensor, most: float) -> Tensor:
    """Images whose columns beside a seam meet half way, where they differ by no more than `most`."""
    images = images.clone()
    seams = torch.arange(BLOCK, images.shape[-1], BLOCK, device=images.device)
    step = images[..., seams] - images[..., seams - 1]
    step = torch.where(step.abs() <= most, step, torch.zeros_like(step))
    for distance, share in ((0, 3 / 8), (1, 1 / 8)):  # a ramp over four pixels
        left, right = seams - 1 - distance, (seams + distance).clamp(max=images.shape[-1] - 1)
        images[..., left] += share * step
        images[..., right] -= share * step
    return images
