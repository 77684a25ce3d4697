"""What an artifact's effect is held against, and the images that lend their pixels to controls."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from torch import Tensor

from unhans.artifacts import dilated, margin, rim_of
from unhans.effects.bench import Bench

_LEAST = 1e-12  # a layer that shows nothing on a sample has no colour, but is no error
UNIFORM = 0.1  # root mean square distance of a pixel's colour from the median that is still the same colour
_MOST = 0.9  # of a layer's alpha that has the median colour where the layer has one colour
_FAINT = 0.5  # of its usual alpha, below which a pixel's colour is not looked at


def mean_colour(layer: Tensor) -> Tensor:
    """Return the layer (4, H, W) with all its pixels in their alpha-weighted mean colour."""
    return coloured(layer, (layer[:3] * layer[3:]).sum((1, 2)) / layer[3].sum().clamp(min=_LEAST))


def coloured(layer: Tensor, colour: Tensor) -> Tensor:
    """Return the layer (4, H, W) in one colour (3,)."""
    return torch.cat([colour[:, None, None].expand_as(layer[:3]).to(layer), layer[3:]])


def random_colour(layer: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the layer (4, H, W) in one colour drawn evenly from the RGB cube."""
    return coloured(layer, torch.from_numpy(rng.random(3, dtype=np.float32)))


def filled(layer: Tensor, image: Tensor) -> Tensor:
    """Return the layer (4, H, W) with the pixels of an image (3, H, W) instead of its own."""
    return torch.cat([image.to(layer), layer[3:]])


def is_uniform(layer: Tensor) -> bool:
    """Return whether the layer (4, H, W) has one colour, so that its mean colour would be itself.

    It has where most of the alpha of its clear pixels lies near their median colour. Clear are pixels of half its usual
    alpha and more, which is that of the pixel in which half of its whole alpha is reached. Faint pixels of an isolated
    layer have any colour: how far its carriers happen to differ from others.
    """
    visible = layer.flatten(1)[:, layer[3].flatten() > 0].double()
    if not visible.shape[1]:
        return True
    levels = visible[3].sort().values
    usual = levels[int((levels.cumsum(0) < levels.sum() / 2).sum().clamp(max=len(levels) - 1))]
    shown = visible[:, visible[3] >= _FAINT * usual]
    alpha, colours = shown[3], shown[:3]
    order = colours.argsort(1)
    half = (alpha[order].cumsum(1) < alpha.sum() / 2).sum(1, keepdim=True).clamp(max=len(alpha) - 1)
    median = colours.gather(1, order.gather(1, half))
    near = (colours - median).square().mean(0) < UNIFORM**2
    return bool(alpha[near].sum() >= _MOST * alpha.sum())


def strongest_other(
    before: NDArray[np.float64], after: NDArray[np.float64], labels: NDArray[np.int64], target: int
) -> int:
    """Return the class other than the target that gains most probability on samples that are not of it; −1: none left.

    Args:
        before, after: (n, C) probabilities.
        labels: (n,) of the samples, none the target.
    """
    others = labels[:, None] != np.arange(before.shape[1])
    others[:, target] = False
    counts = others.sum(0)
    means = ((after - before) * others).sum(0) / np.maximum(counts, 1)
    means[counts == 0] = -np.inf
    return int(means.argmax()) if counts.any() else -1


def moved(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask (H, W) at another place, drawn evenly from those inside the image where filling it spares itself.

    A fill reaches beyond its mask by the margin and twice the rim; that stays off the mask widened by the margin. Where
    there is no such place (a border), as many pixels as far from the mask, those nearest to the middle: a rectangle in
    the image's shape where the middle is free. Where there is no room for these either, the distance is given up: a
    control that covers less would look weaker than it is, and one that fills some of the artifact does not.
    """
    far = dilated(mask, 2 * (margin(mask.shape) + rim_of(mask.shape)))
    for taken in (far, mask):
        shifts = _free_shifts(mask, taken)
        if len(shifts):
            elsewhere, shift = np.zeros_like(mask), shifts[rng.integers(len(shifts))]
            elsewhere[tuple((np.argwhere(mask) + shift).T)] = True
            return elsewhere
        if (~taken).sum() >= mask.sum():
            return _middle(taken, mask.sum())
    return _middle(mask, (~mask).sum())


def _free_shifts(mask: NDArray[np.bool_], taken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Shifts (k, 2) that keep the mask in the image and off what is taken: zeros of their correlation."""
    size = [next_fast_len(2 * side, real=True) for side in mask.shape]
    there, own = (rfft2(part.astype(np.float64), size) for part in (taken, mask))
    overlap = irfft2(there * own.conj(), size)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    down = np.arange(-rows[0], mask.shape[0] - rows[-1])
    right = np.arange(-columns[0], mask.shape[1] - columns[-1])
    free = overlap[np.ix_(down, right)] < 0.5  # pixels; a negative shift lies at the array's end
    places = np.argwhere(free)
    return np.stack([down[places[:, 0]], right[places[:, 1]]], axis=1)


def _middle(taken: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """So many pixels (H, W) that are not taken, nearest to the middle."""
    height, width = taken.shape
    down = np.abs(np.arange(height) - (height - 1) / 2)[:, None] / height
    across = np.abs(np.arange(width) - (width - 1) / 2)[None] / width
    distance = np.where(taken, np.inf, np.maximum(down, across)).ravel()
    elsewhere = np.zeros(taken.size, dtype=bool)
    elsewhere[np.argsort(distance, kind="stable")[:pixels]] = True
    return elsewhere.reshape(taken.shape)


_TRIES = 16  # donors drawn for a sample until one can be read


def draw_donors(
    bench: Bench, pool: NDArray[np.int64], tag: int, indices: NDArray[np.int64]
) -> tuple[Tensor, NDArray[np.int64]]:
    """Draw another sample for each one, from a pool by the bench's seed, the tag and the sample's index alone.

    Returns:
        The donors' images (n, 3, H, W), and which samples they are (n,).

    Raises:
        ValueError: none of the donors drawn for a sample can be read.
    """
    rngs = [np.random.default_rng([bench.seed, tag, int(index)]) for index in indices]
    draws = np.stack([pool[rng.integers(len(pool), size=_TRIES)] for rng in rngs])
    found: dict[int, tuple[Tensor, int]] = {}
    for turn in range(_TRIES):
        missing = [row for row in range(len(indices)) if row not in found]
        if not missing:
            break
        images, read = bench.read(np.unique(draws[missing, turn]))
        by_index = dict(zip(map(int, read), images, strict=True))
        turns = {row: int(draws[row, turn]) for row in missing}
        found |= {row: (by_index[donor], donor) for row, donor in turns.items() if donor in by_index}
    if len(found) < len(indices):
        raise ValueError(f"a donor of pixels must be readable, got {_TRIES} that are not, one after the other")
    rows = [found[row] for row in range(len(indices))]
    return torch.stack([image for image, _ in rows]), np.array([donor for _, donor in rows], dtype=np.int64)
