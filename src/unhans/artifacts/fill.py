"""What can stand where an artifact was: fills of a masked area."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, from_numpy

_RADIUS = 3  # pixels round each point that OpenCV's inpainting looks at; 3 is the usual choice
_SHARE = 0.03  # least width of the blur, of the image's shorter side
_LEVELS = 255  # OpenCV inpaints colour images in 8 bits only

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1], as OpenCV takes images
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Material:
    """What some fills need besides the image and the mask; images are (3, H, W) in [0, 1].

    neighbour: an unaffected sample of another class. truth: this image without the artifact. layer: (4, H, W), the
    artifact as it lies on this image.
    """

    neighbour: Tensor | None = None
    truth: Tensor | None = None
    layer: Tensor | None = None


def telea(picture: Picture, mask: Mask) -> Picture:
    """Inpaint by fast marching from the rim inwards (Telea 2004)."""
    import cv2

    return _inpainted(picture, mask, cv2.INPAINT_TELEA)


def navier_stokes(picture: Picture, mask: Mask) -> Picture:
    """Inpaint by continuing the lines of equal brightness (Bertalmío, Bertozzi and Sapiro 2001)."""
    import cv2

    return _inpainted(picture, mask, cv2.INPAINT_NS)


def blur(picture: Picture, mask: Mask) -> Picture:
    """Fill with a Gaussian mean of the pixels outside the mask alone (normalised convolution).

    Its standard deviation is half the largest distance of a masked pixel from the rim, at least 3 % of the side.
    """
    import cv2

    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max()
    sigma = max(_SHARE * min(mask.shape), float(depth) / 2)
    outside = (~mask).astype(np.float32)

    def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)

    weights = smooth(outside)[..., None]
    return _laid(picture, mask, smooth(picture * outside[..., None]) / np.maximum(weights, np.finfo(np.float32).tiny))


def mean(picture: Picture, mask: Mask) -> Picture:
    """Fill with the mean colour of the image outside the mask."""
    return _laid(picture, mask, np.broadcast_to(picture[~mask].mean(0, dtype=np.float64), picture.shape))


PAINTERS: dict[str, Callable[[Picture, Mask], Picture]] = {
    "telea": telea,
    "navier_stokes": navier_stokes,
    "blur": blur,
    "mean": mean,
}
FILLS = (*PAINTERS, "neighbour", "unblend", "truth", "undo")


def check_fill(name: str) -> str:
    """Return the name, or raise ValueError for an unknown fill."""
    if name not in FILLS:
        raise ValueError(f"a fill must be one of {', '.join(FILLS)}, got {name!r}")
    return name


def paint(name: str, image: Tensor, mask: Mask, neighbour: Tensor | None = None) -> Tensor:
    """Return the image (3, H, W) with the masked area filled, and only that; name: a painter or "neighbour"."""
    picture = np.ascontiguousarray(image.detach().cpu().numpy().astype(np.float32).transpose(1, 2, 0))
    if name == "neighbour":
        if neighbour is None:
            raise ValueError("the fill 'neighbour' needs a sample of another class, got none")
        filled = _laid(picture, mask, neighbour.cpu().numpy().transpose(1, 2, 0))
    else:
        filled = PAINTERS[name](picture, mask)
    return from_numpy(np.ascontiguousarray(filled.transpose(2, 0, 1))).to(image)


def _inpainted(picture: Picture, mask: Mask, method: int) -> Picture:
    import cv2

    levels = np.rint(picture.clip(0, 1) * _LEVELS).astype(np.uint8)
    return _laid(picture, mask, cv2.inpaint(levels, mask.astype(np.uint8), _RADIUS, method) / _LEVELS)


def _laid(picture: Picture, mask: Mask, colours: NDArray[np.floating]) -> Picture:
    return np.where(mask[..., None], colours, picture).astype(np.float32)
