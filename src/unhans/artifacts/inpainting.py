"""Taking an artifact away from images, and what can stand where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, from_numpy
from torchvision.transforms import v2

from unhans.artifacts.overlay import check_images, is_image, like

_RADIUS = 3  # pixels round each point that OpenCV's inpainting looks at; 3 is the usual choice
_SHARE = 0.03  # least width of the blur, of the image's shorter side
_LEVELS = 255  # OpenCV inpaints colour images in 8 bits only

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1], as OpenCV takes images
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Material:
    """What some fills need besides the image and the mask.

    Attributes:
        neighbour: (3, H, W) in [0, 1], an unaffected sample of another class.
        truth: (3, H, W) in [0, 1], this image without the artifact.
        layer: (4, H, W) in [0, 1], the artifact as it lies on this image.
    """

    neighbour: Tensor | None = None
    truth: Tensor | None = None
    layer: Tensor | None = None


def inpaint(picture: Picture, mask: Mask, method: Literal["INPAINT_TELEA", "INPAINT_NS"]) -> Picture:
    """Inpaint by a method of OpenCV."""
    import cv2

    levels = np.rint(picture.clip(0, 1) * _LEVELS).astype(np.uint8)
    return _laid(picture, mask, cv2.inpaint(levels, mask.astype(np.uint8), _RADIUS, getattr(cv2, method)) / _LEVELS)


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
    "telea": partial(inpaint, method="INPAINT_TELEA"),  # by fast marching from the rim inwards (Telea 2004)
    "navier_stokes": partial(inpaint, method="INPAINT_NS"),  # along lines of equal brightness (Bertalmío et al. 2001)
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


def _laid(picture: Picture, mask: Mask, colours: NDArray[np.floating]) -> Picture:
    return np.where(mask[..., None], colours, picture).astype(np.float32)


MARGIN = 0.01  # of the image's shorter side, by which a mask is widened: rims of an artifact are faint
OPAQUE = 0.9  # alpha above which too little of the image is left to be recovered
_NONE = Material()


class Remove(v2.Transform):
    """Fill the masked area of images.

    Args:
        mask: (H, W), where the artifact lies. It is widened by 1 % of the shorter side (at least a pixel), and the fill
            runs out softly over as much again round it.
        fill: "telea", "navier_stokes" (OpenCV's inpainting, radius 3 pixels), "blur", "mean"; "neighbour" (the pixels
            at this place of material.neighbour); "unblend" (the colours under a semi-transparent material.layer,
            (x − αc) / (1 − α), and Telea where α > 0.9; the mask is not used); "truth" (material.truth).

    Raises:
        ValueError: the fill is unknown or its material missing, or the mask covers nothing or, widened, everything.
    """

    def __init__(self, mask: NDArray[np.bool_] | Tensor, fill: str = "telea", material: Material = _NONE) -> None:
        super().__init__()
        self.mask, self.fill, self.material = np.asarray(mask, dtype=bool), check_fill(fill), material
        if fill == "undo":
            raise ValueError("the fill 'undo' needs an artifact of whole images: call undo of its transform")
        needed = {"neighbour": "neighbour", "truth": "truth", "unblend": "layer"}.get(fill)
        if needed is not None and getattr(material, needed) is None:
            raise ValueError(f"the fill {fill!r} needs {needed} among its material, got none")
        if fill not in ("unblend", "truth"):
            check_mask(self.mask)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the images (…, 3, H, W) without the artifact; what is no image is returned as it is."""
        if not is_image(inpt):
            return inpt
        check_images(inpt, self.mask.shape, "a mask")
        flat = inpt.as_subclass(torch.Tensor).reshape(-1, *inpt.shape[-3:])
        return like(torch.stack([self._of(image) for image in flat]).reshape(inpt.shape), inpt)

    def _of(self, image: Tensor) -> Tensor:
        if self.fill == "truth":
            return self.material.truth.to(image)
        if self.fill == "unblend":
            return unblend(image, self.material.layer)
        return fill_softly(self.fill, image, self.mask, self.material.neighbour)


def fill_softly(name: str, image: Tensor, mask: NDArray[np.bool_], neighbour: Tensor | None = None) -> Tensor:
    """Return the image (3, H, W) with the widened mask filled completely and a soft rim round it."""
    import cv2

    inner, rim = widened(mask), rim_of(mask.shape)
    outer = dilated(inner, rim)
    faded = dilated(outer, rim)  # all that the weight below reaches
    filled = paint(name, image, inner if faded.all() else faded, neighbour)
    side = 2 * rim + 1  # the mean over it is 1 on all of the inner mask
    weight = cv2.blur(outer.astype(np.float32), (side, side), borderType=cv2.BORDER_REPLICATE)
    return torch.lerp(image, filled, torch.from_numpy(weight).to(image).clamp(0, 1))


def unblend(image: Tensor, layer: Tensor) -> Tensor:
    """Return the image (3, H, W) under a layer (4, H, W): (x − αc) / (1 − α), and Telea where α > 0.9."""
    alpha, colour = layer[3:].to(image), layer[:3].to(image)
    opaque = alpha[0] > OPAQUE
    under = (image - alpha * colour) / (1 - alpha).clamp(min=1 - OPAQUE)
    under = torch.where(opaque, image, under.clamp(0, 1))
    if not opaque.any():
        return under
    mask = opaque.cpu().numpy()
    check_mask(mask)
    return fill_softly("telea", under, mask)


def margin(shape: tuple[int, ...]) -> int:
    """Return 1 % of the shorter side in pixels, at least 1."""
    return max(1, round(MARGIN * min(shape)))


def rim_of(shape: tuple[int, ...]) -> int:
    """Return the width of the soft rim in pixels: half the margin, at least 1."""
    return max(1, margin(shape) // 2)


def widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask (H, W) grown by the margin to all sides."""
    return dilated(mask, margin(mask.shape))


def dilated(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return the mask (H, W) grown by a number of pixels to all sides."""
    import cv2

    side = 2 * pixels + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)


def check_mask(mask: NDArray[np.bool_], whose: str = "") -> None:
    """Raise ValueError for a mask that covers nothing or, widened, everything; whose: " of sample 7"."""
    if not mask.any():
        raise ValueError(f"a mask{whose} must cover something to fill, got one that is empty")
    if widened(mask).all():
        raise ValueError(
            f"a mask{whose} must leave something of the image to fill from, got one that covers {mask.mean():.0%} of "
            f"it and, widened by {margin(mask.shape)} pixels, everything"
        )
