"""A gain for every spatial frequency, and noise: blur, sharpening, grain."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HIGHEST = 0.5**0.5  # cycles per pixel, along a diagonal
KNOTS = 33
_PAD = 16  # pixels that images are mirrored by at their sides, so that one side does not leak into the other
_STEADY = 0.01  # of the power: what undoing takes for noise where there is none; frequencies are raised tenfold at most


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Multiplies spatial frequencies, whatever their direction, and adds noise.

    gain: (3, K) for K evenly spaced frequencies from 0 to √½ cycles per pixel, 0 or more. noise: (3, K), root of the
    mean power per pixel of what is added there. power: (3, K), the same of images without the artifact. The noise on an
    image follows from its pixels alone. Undoing is Wiener's filter: frequencies that were nearly lost, and the noise,
    are only damped, and fine detail does not come back. Raises ValueError for others.
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

    @property
    def sentence(self) -> str:
        """What becomes of coarse, middle and fine detail, and how much noise is added."""
        gains = _at(self.gain.mean(0, keepdim=True), torch.tensor([0.05, 0.15, 0.3, 0.45]))[0].tolist()
        coarse = ", ".join(f"{gain:.2f}" for gain in gains)
        text = f"multiplies detail of 20, 7, 3 and 2 pixels by {coarse}"
        return f"{text}, and adds noise of {self._level:.3f}" if self._level else text

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1], blurred or sharpened, with noise."""
        changed = _filtered(images, self.gain)
        if self._level:
            changed = changed + _filtered(_white(images), self.noise)
        return changed.clamp(0, 1)

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with their frequencies as they were, as far as these are left."""
        power = self.power**2
        wiener = self.gain * power / (self.gain**2 * power + self.noise**2 + _STEADY * power).clamp(min=1e-12)
        wiener = wiener * (1 + _STEADY)  # where nothing was changed nothing is
        wiener[:, 0] = 1.0
        return _filtered(images, wiener).clamp(0, 1)

    @property
    def noisy(self) -> bool:
        """Whether it adds noise."""
        return self._level > 0

    @property
    def _level(self) -> float:
        """The standard deviation of the noise, about."""
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
