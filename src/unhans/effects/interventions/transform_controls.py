"""What the effect of a transform is held against: changes of the same images, as strong, of another kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Spectrum, Transform
from unhans.effects.bench import Change

OPPOSITE, EXCHANGED, NOISE = "opposite change", "colours exchanged", "as strong noise"
_NOISE = 13  # tag of what is drawn
_ROUNDS = 6  # in which noise is made as strong as a change although it is cut off at black and white
_MOST = 8.0  # times a noise is amplified for it
_GREY = 0.1  # share of a change's strength that must lie between its channels for their exchange to be another change
_LITTLE = 0.5  # share of the strength of a change that is left without its noise, below which the noise is the change
_SMOOTH = 0.02  # share of noise that is smooth where a change has no shape of its own, as one colour over all


def controls_of(transform: Transform, examples: Tensor, seed: int) -> dict[str, Change]:
    """Return the controls of a transform by name.

    "opposite change": as far in the other direction. "colours exchanged": what happens to red happens to green, and so
    on (left out where grey examples stay grey). Noise that the transform adds is in neither, as noise with the other
    sign or with its channels exchanged is the same noise; a transform that does little else has none of the two. "as
    strong noise": random, with the strength and the smoothness that the change has on each image; smooth where the
    transform adds noise itself, which like noise would only repeat.
    """
    controls, plain = {NOISE: as_strong_noise(transform, seed)}, _without_noise(transform)
    if plain is not transform and _difference(plain, examples) < _LITTLE * _difference(transform, examples):
        return controls
    if _coloured(plain, examples):
        controls = {EXCHANGED: exchanged(plain), **controls}
    return {OPPOSITE: opposite(plain), **controls}


def opposite(transform: Transform, undo: bool = False) -> Change:
    """Return the change as far in the other direction as the transform, or its undoing, goes."""

    def change(images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        changed = transform.undo(images) if undo else transform.apply(images)
        return (2 * images - changed).clamp(0, 1)

    return change


def exchanged(transform: Transform) -> Change:
    """Return the change whose difference image has its channels rolled."""
    return lambda images, indices: (images + (transform.apply(images) - images).roll(1, dims=1)).clamp(0, 1)


def as_strong_noise(transform: Transform, seed: int) -> Change:
    """Return the change by noise that has the spectrum and the strength of the transform's change, image by image.

    Where the transform adds noise it has the strength alone, and falls off towards high frequencies as a cloud does.
    """
    shape = 1.0 if not (isinstance(transform, Spectrum) and transform.level) else 0.0

    def change(images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        steps = transform.apply(images) - images
        drawn = [np.random.default_rng([seed, _NOISE, int(index)]).normal(size=steps.shape[1:]) for index in indices]
        return _noisy(images, steps, torch.from_numpy(np.stack(drawn)).to(images), shape)

    return change


def _noisy(images: Tensor, steps: Tensor, white: Tensor, shape: float) -> Tensor:
    """Images (n, 3, H, W) with noise as strong as the steps, although it is cut off at black and white."""
    noise, wanted = _shaped(steps, white, shape), _strength(steps)
    factor = torch.ones_like(wanted)
    for _ in range(_ROUNDS):
        got = _strength((images + factor * noise).clamp(0, 1) - images)
        factor = (factor * wanted / got.clamp(min=1e-9)).clamp(max=_MOST)
    return (images + factor * noise).clamp(0, 1)


def _strength(steps: Tensor) -> Tensor:
    """The root mean square of each image's change (n, 3, H, W), as (n, 1, 1, 1)."""
    return steps.square().mean((1, 2, 3), keepdim=True).sqrt()


def _shaped(steps: Tensor, white: Tensor, shape: float) -> Tensor:
    """Noise (n, 3, H, W) of mean 0 as strong as the steps, from white.

    shape: 1 where its frequencies are as strong as theirs, 0 where they fall off as those of a cloud.
    """
    height, width = steps.shape[-2:]
    strength = torch.fft.rfft2(steps).abs().square().mean(1, keepdim=True).sqrt()
    down, across = torch.fft.fftfreq(height)[:, None] * height, torch.fft.rfftfreq(width) * width
    smooth = 1 / (1 + (down**2 + across**2).to(steps))  # falls off as that of a cloud
    strength = shape * strength + _SMOOTH * _strength(steps) * height * width * smooth
    strength[..., 0, 0] = 0.0
    noise = torch.fft.irfft2(torch.fft.rfft2(white) * strength, s=(height, width))
    return noise * (_strength(steps) / _strength(noise).clamp(min=1e-9))


def _without_noise(transform: Transform) -> Transform:
    noisy = isinstance(transform, Spectrum) and transform.level
    return replace(transform, noise=torch.zeros_like(transform.noise)) if noisy else transform


def _difference(transform: Transform, images: Tensor) -> float:
    """The root mean square of what it changes."""
    return float((transform.apply(images) - images).square().mean().sqrt())


def _coloured(transform: Transform, images: Tensor) -> bool:
    """Whether grey images change differently in each channel, by more than a little of the change's strength."""
    grey = images.mean(1, keepdim=True).expand_as(images).contiguous()
    steps = transform.apply(grey) - grey
    between = (steps - steps.mean(1, keepdim=True)).square().mean()
    return bool(between > (_GREY**2) * steps.square().mean())
