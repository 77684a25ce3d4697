"""Artifacts that lie on whole images: curves and mixtures of colours, fields of gain and offset, spectra, JPEG.

Each class has a `name`, `apply`, which gives images the artifact, and `undo`, which takes it off as far as it goes.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image

KNOTS = 33


@dataclass(frozen=True, eq=False)
class ChannelMap:
    """Maps every value of a channel by a rising curve, linear between evenly spaced knots.

    Undoing takes the middle of all values that the curve maps to the same one: what was cut off at black or white does
    not come back.

    Attributes:
        curves: (3, K) values in [0, 1] at the knots 0 … 1, none below the one before it.

    Raises:
        ValueError: the curves are not as above.
    """

    curves: Tensor
    name: ClassVar[str] = "colour curves"

    def __post_init__(self) -> None:
        curves = self.curves
        if curves.ndim != 2 or curves.shape[0] != 3 or curves.shape[1] < 2:
            raise ValueError(f"curves must be (3, K) of two or more knots, got shape {tuple(curves.shape)}")
        if not bool(((curves >= 0) & (curves <= 1)).all() and (curves.diff(dim=1) >= 0).all()):
            raise ValueError("curves must rise, or stay, within [0, 1], got others")

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with their values mapped."""
        curves, last = self.curves.to(images), self.curves.shape[1] - 1
        at = images.clamp(0, 1) * last
        low = at.floor().clamp(max=last - 1)
        rows = low.long() + (last + 1) * torch.arange(3, device=images.device)[:, None, None]
        return torch.lerp(curves.flatten()[rows], curves.flatten()[rows + 1], at - low)

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with their values mapped back."""
        values = images.clamp(0, 1).transpose(0, 1)
        flat = values.reshape(3, -1).contiguous()
        found = (self._inverse(flat, right=False) + self._inverse(flat, right=True)) / 2
        return found.reshape(values.shape).transpose(0, 1).contiguous()

    def _inverse(self, values: Tensor, right: bool) -> Tensor:
        """The smallest (largest, if right) argument of each value (3, n); the nearest end where there is none."""
        curves, last = self.curves.to(values).contiguous(), self.curves.shape[1] - 1
        found = torch.searchsorted(curves, values, right=right)
        after = found.clamp(1, last)
        low, high = curves.gather(1, after - 1), curves.gather(1, after)
        share = (values - low) / (high - low).clamp(min=torch.finfo(values.dtype).tiny)
        return torch.where(found > last, 1.0, (after - 1 + share.clamp(0, 1)) / last)


@dataclass(frozen=True, eq=False)
class ColourMatrix:
    """Maps every pixel's colour by an affine map of its three channels, cut off at 0 and 1.

    Undoing is a map of its own, not the inverse: grey strokes become red ones by taking two channels away, and these
    come back as copies of the third.

    Attributes:
        forward, backward: (3, 4), the matrix, and in the last column what is added.

    Raises:
        ValueError: a shape or a value is not as above.
    """

    forward: Tensor
    backward: Tensor
    name: ClassVar[str] = "colour matrix"

    def __post_init__(self) -> None:
        if not tuple(self.forward.shape) == tuple(self.backward.shape) == (3, 4):
            shapes = tuple(self.forward.shape), tuple(self.backward.shape)
            raise ValueError(f"forward and backward must both be (3, 4), got shapes {shapes}")
        if not bool(self.forward.isfinite().all() and self.backward.isfinite().all()):
            raise ValueError("forward and backward must be finite, got others")

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with their colours mapped."""
        return _affine(images, self.forward)

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with their colours mapped back."""
        return _affine(images, self.backward)


def _affine(images: Tensor, matrix: Tensor) -> Tensor:
    matrix = matrix.to(images)
    mixed = torch.einsum("oc,nchw->nohw", matrix[:, :3], images)
    return (mixed + matrix[:, 3, None, None]).clamp(0, 1)


_LEAST = 0.05  # gain below which too little of a pixel is left to be recovered


@dataclass(frozen=True, eq=False)
class Field:
    """Maps every pixel x to gain · x + offset, cut off at 0 and 1.

    It fits images of its own size alone. Undoing divides by the gain, by no less than 0.05: what is nearly black, or
    was cut off, does not come back.

    Attributes:
        gain, offset: (3, H, W), the gain 0 or more.

    Raises:
        ValueError: a shape or a value is not as above.
    """

    gain: Tensor
    offset: Tensor
    name: ClassVar[str] = "field"

    def __post_init__(self) -> None:
        if self.gain.ndim != 3 or self.gain.shape[0] != 3 or self.gain.shape != self.offset.shape:
            shapes = tuple(self.gain.shape), tuple(self.offset.shape)
            raise ValueError(f"gain and offset must both be (3, H, W), got shapes {shapes}")
        if not bool(self.gain.isfinite().all() and self.offset.isfinite().all() and (self.gain >= 0).all()):
            raise ValueError("gain and offset must be finite, and no gain below 0, got others")

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with the field; ValueError for another size."""
        self._check(images)
        return (self.gain.to(images) * images + self.offset.to(images)).clamp(0, 1)

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] without the field; ValueError for another size."""
        self._check(images)
        return ((images - self.offset.to(images)) / self.gain.to(images).clamp(min=_LEAST)).clamp(0, 1)

    def _check(self, images: Tensor) -> None:
        if images.shape[-2:] != self.gain.shape[-2:]:
            own, got = tuple(self.gain.shape[-2:]), tuple(images.shape[-2:])
            raise ValueError(f"a field fits images of its own size: expected {own} pixels, got {got}")


HIGHEST = 0.5**0.5  # cycles per pixel, along a diagonal
_PAD = 16  # pixels that images are mirrored by at their sides, so that one side does not leak into the other
_STEADY = 0.01  # of the power: what undoing takes for noise where there is none; frequencies are raised tenfold at most


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Multiplies spatial frequencies, whatever their direction, and adds noise.

    The noise on an image follows from its pixels alone. Undoing is Wiener's filter: frequencies that were nearly lost,
    and the noise, are only damped, and fine detail does not come back.

    Attributes:
        gain: (3, K) for K evenly spaced frequencies from 0 to √½ cycles per pixel, 0 or more.
        noise: (3, K), root of the mean power per pixel of what is added there.
        power: (3, K), the same of images without the artifact.

    Raises:
        ValueError: a shape or a value is not as above.
    """

    gain: Tensor
    noise: Tensor
    power: Tensor
    name: ClassVar[str] = "spectrum"

    def __post_init__(self) -> None:
        shapes = {tuple(part.shape) for part in (self.gain, self.noise, self.power)}
        if len(shapes) != 1 or self.gain.ndim != 2 or self.gain.shape[0] != 3 or self.gain.shape[1] < 2:
            raise ValueError(f"gain, noise and power must all be (3, K), got shapes {sorted(shapes)}")
        if not all(bool((part.isfinite() & (part >= 0)).all()) for part in (self.gain, self.noise, self.power)):
            raise ValueError("gain, noise and power must be finite and 0 or more, got others")

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1], blurred or sharpened, with noise."""
        changed = _filtered(images, self.gain)
        if self.level:
            changed = changed + _filtered(_white(images), self.noise)
        return changed.clamp(0, 1)

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with their frequencies as they were, as far as these are left."""
        power = self.power**2
        wiener = self.gain * power / (self.gain**2 * power + self.noise**2 + _STEADY * power).clamp(min=1e-12)
        wiener = wiener * (1 + _STEADY)  # where nothing was changed nothing is
        wiener[:, 0] = 1.0
        return _filtered(images, wiener).clamp(0, 1)

    def gains_at(self, where: Sequence[float]) -> list[float]:
        """Return the gain, mean over the channels, at some frequencies in cycles per pixel."""
        return _at(self.gain.mean(0, keepdim=True), torch.tensor(where))[0].tolist()

    @property
    def level(self) -> float:
        """The standard deviation of the noise, about; 0 where it adds none."""
        weight = torch.linspace(0, 1, self.noise.shape[1])  # there are more of the high frequencies
        return float(((self.noise**2 * weight).sum(1) / weight.sum()).mean() ** 0.5)


def frequencies(size: tuple[int, int]) -> Tensor:
    """Return the radial frequencies of a real Fourier transform in cycles per pixel: (H, W // 2 + 1)."""
    down, across = torch.fft.fftfreq(size[0]), torch.fft.rfftfreq(size[1])
    return (down[:, None] ** 2 + across**2) ** 0.5


def _at(values: Tensor, where: Tensor) -> Tensor:
    """Values (C, K) at radial frequencies (…): (C, …), linear between the knots."""
    last = values.shape[1] - 1
    at = where.to(values) / HIGHEST * last
    low = at.floor().clamp(0, last - 1).long()
    return torch.lerp(values[:, low], values[:, low + 1], (at - low).clamp(0, 1).expand(len(values), *low.shape))


def _filtered(images: Tensor, gain: Tensor) -> Tensor:
    pad = min(_PAD, *(side - 1 for side in images.shape[-2:]))
    wide = F.pad(images.float(), [pad] * 4, mode="reflect")
    spectra = torch.fft.rfft2(wide) * _at(gain, frequencies(wide.shape[-2:])).to(images.device)
    whole = torch.fft.irfft2(spectra, s=wide.shape[-2:])
    return whole[..., pad : whole.shape[-2] - pad, pad : whole.shape[-1] - pad].to(images.dtype)


def _white(images: Tensor) -> Tensor:
    """White noise with standard deviation 1 for each image, drawn from the image's own pixels to eight bits."""
    bits = (images.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    drawn = [np.random.default_rng(zlib.crc32(image.tobytes())).normal(size=image.shape) for image in bits]
    return torch.from_numpy(np.stack(drawn)).to(images)


BLOCK = 8
_SEAM = 2.5  # steps of 8 bits per unit of 50 / quality: larger jumps between blocks are edges of the picture


@dataclass(frozen=True, eq=False)
class Jpeg:
    """Encodes images as JPEG and decodes them again.

    Undoing only softens the seams between blocks: what the encoding left out does not come back.

    Attributes:
        quality: 1 … 95, as Pillow counts.

    Raises:
        ValueError: the quality is outside of this range.
    """

    quality: int
    name: ClassVar[str] = "JPEG compression"

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ValueError(f"the quality of a JPEG must be 1 … 95, got {self.quality}")

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


Transform = ChannelMap | ColourMatrix | Field | Spectrum | Jpeg
