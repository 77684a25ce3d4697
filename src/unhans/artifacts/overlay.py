"""Laying an RGBA layer over images, and which pixels it covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision import tv_tensors
from torchvision.transforms import v2

Placement = Literal["top_left", "top_right", "bottom_left", "bottom_right", "random_corner", "random_position"]

CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")
_NO_IMAGE = (tv_tensors.Mask, tv_tensors.BoundingBoxes)


class Paste(v2.Transform):
    """Lay one RGBA layer over images: (1 − α)·image + α·colour.

    Images are (…, 3, H, W) in [0, 1], those of one call all alike.

    Args:
        layer: (4, h, w) in [0, 1].
        placement: None for a layer of the images' size, which stays where it is; else a corner, "random_corner" or
            "random_position", drawn from torch's random state at every call.
        scale: factor on the layer's own pixels, or (low, high) to draw it between.

    Raises:
        ValueError: the layer is not RGBA, shows nothing or does not fit the image; a scale is not positive, or has no
            placement.
    """

    def __init__(
        self, layer: Tensor, placement: Placement | None = None, scale: float | tuple[float, float] = 1.0
    ) -> None:
        super().__init__()
        self.layer = check_layer(layer)
        self.placement = placement if placement is None else check_placement(placement)
        self.scale = _check_scale(scale)
        if placement is None and self.scale != (1.0, 1.0):
            raise ValueError(f"a layer that is scaled needs a placement, got none and scale {scale}")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the scale and the place for the images of one call."""
        image = next((value for value in flat_inputs if is_image(value)), None)
        if self.placement is None or image is None:
            return {"layer": self.layer}
        low, high = self.scale
        layer = scaled(self.layer, low if low == high else low + (high - low) * float(torch.rand(())))
        room = [whole - part for whole, part in zip(image.shape[-2:], layer.shape[-2:], strict=True)]
        if min(room) < 0:
            raise ValueError(
                f"a layer must not be larger than the image: expected at most {tuple(image.shape[-2:])} pixels, got "
                f"{tuple(layer.shape[-2:])}; give it a smaller scale"
            )
        return {"layer": on_canvas(layer, image.shape[-2:], _drawn(self.placement, room))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the images with the layer on top, in their shape and on their device; what is no image as it is."""
        if not is_image(inpt):
            return inpt
        check_images(inpt, tuple(params["layer"].shape[-2:]), "a layer")
        return like(blend(inpt.as_subclass(torch.Tensor), params["layer"]), inpt)


def blend(images: Tensor, layers: Tensor) -> Tensor:
    """Return images (…, 3, H, W) with layers (…, 4, H, W) on top; the layers broadcast."""
    layers = layers.to(images)
    colours, alpha = layers[..., :3, :, :].expand_as(images), layers[..., 3:, :, :].expand_as(images)
    return torch.lerp(images, colours, alpha)


def on_canvas(layer: Tensor, size: Sequence[int], corner: tuple[int, int]) -> Tensor:
    """Return a layer (4, h, w) with its top left corner at (top, left) of a transparent one of a size (H, W)."""
    canvas, (top, left) = torch.zeros(4, *size), corner
    canvas[:, top : top + layer.shape[1], left : left + layer.shape[2]] = layer
    return canvas


def scaled(layer: Tensor, factor: float) -> Tensor:
    """Return the layer (4, h, w) resized by a factor; colours weigh as much as they are opaque: no dark rim."""
    if factor == 1:
        return layer
    size = [max(1, round(side * factor)) for side in layer.shape[-2:]]
    weighted = torch.cat([layer[:3] * layer[3:], layer[3:]])
    small = interpolate(weighted[None], size, mode="bilinear", antialias=True, align_corners=False)[0].clamp(0, 1)
    alpha = small[3:]
    return torch.cat([(small[:3] / alpha.clamp(min=1e-6)).clamp(0, 1), alpha])


def check_layer(layer: Tensor) -> Tensor:
    """Return the layer, or raise ValueError if it is not (4, h, w) in [0, 1] or is transparent everywhere."""
    if layer.ndim != 3 or layer.shape[0] != 4:
        raise ValueError(f"a layer must be RGBA, (4, h, w), got shape {tuple(layer.shape)}")
    if not layer.is_floating_point() or not bool(((layer >= 0) & (layer <= 1)).all()):
        raise ValueError("a layer must hold floating-point numbers in [0, 1], got others")
    if not bool((layer[3] > 0).any()):
        raise ValueError("a layer must show something, got an alpha channel that is zero everywhere")
    return layer


def is_image(value: Any) -> bool:
    """Return whether a transform treats a value as images: every tensor and picture, not masks and boxes."""
    return not isinstance(value, _NO_IMAGE)


def check_images(images: Any, size: tuple[int, ...], what: str) -> None:
    """Raise ValueError unless these are images (…, 3, H, W) in floating point of a size; what: "a layer"."""
    if not isinstance(images, Tensor) or not images.is_floating_point():
        got = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(
            f"images must be tensors in [0, 1], got {got}; v2.ToImage() and v2.ToDtype(torch.float32, scale=True) "
            "make them so"
        )
    if images.ndim < 3 or images.shape[-3] != 3:
        raise ValueError(f"images must be (…, 3, H, W), got shape {tuple(images.shape)}")
    if tuple(images.shape[-2:]) != tuple(size):
        raise ValueError(
            f"{what} fits images of its own size: expected {tuple(size)} pixels, got {tuple(images.shape[-2:])}"
        )


def like(images: Tensor, model: Tensor) -> Tensor:
    """Return the images as the kind of tensor that the model is (Image, Video or plain)."""
    return tv_tensors.wrap(images, like=model) if isinstance(model, tv_tensors.TVTensor) else images


def check_placement(placement: str) -> Placement:
    """Return the placement, or raise ValueError for an unknown one."""
    if placement not in get_args(Placement):
        raise ValueError(f"placement must be one of {', '.join(get_args(Placement))}, got {placement!r}")
    return placement  # type: ignore[return-value]


def in_corner(corner: str, room: Sequence[int]) -> tuple[int, int]:
    """Return (top, left) in a corner; room: (vertical, horizontal) pixels that are free."""
    return room[0] * corner.startswith("bottom"), room[1] * corner.endswith("right")


def _check_scale(scale: float | tuple[float, float]) -> tuple[float, float]:
    low, high = (scale, scale) if isinstance(scale, int | float) else scale
    if not 0 < low <= high:
        raise ValueError(f"a layer's scale must be positive, or (low, high) with low ≤ high, got {scale}")
    return float(low), float(high)


def _drawn(placement: Placement, room: list[int]) -> tuple[int, int]:
    if placement == "random_position":
        return int(torch.randint(room[0] + 1, ())), int(torch.randint(room[1] + 1, ()))
    return in_corner(CORNERS[int(torch.randint(len(CORNERS), ()))] if placement == "random_corner" else placement, room)


_HALF = 0.5  # of a layer's largest alpha: from there on a pixel is part of the artifact


def covered(alpha: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the pixels (…, H, W) with more than half of the largest alpha of their layer."""
    return alpha > _HALF * alpha.max((-2, -1), keepdims=True)
