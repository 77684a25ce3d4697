"""Image gradients; a linear filter on them that tells images with a mark from those without; where the mark lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.fft import dctn, idctn
from torch import Tensor

_BLOCK = 1 << 22  # values of images held at once beside the images themselves


def gradients(images: Tensor) -> Tensor:
    """Return the differences to the right and to the lower neighbour: (…, H, W) → (2, …, H, W), zero at the far rim."""
    field = images.new_zeros((2, *images.shape))
    field[0, ..., :-1] = images.diff(dim=-1)
    field[1, ..., :-1, :] = images.diff(dim=-2)
    return field


def divergence(field: Tensor) -> Tensor:
    """Return minus the adjoint of `gradients`: (2, …, H, W) → (…, H, W).

    ⟨field, gradients(x)⟩ = −⟨divergence(field), x⟩. The far rim of the field, where gradients are zero, is not used.
    """
    right, down = field[0].clone(), field[1].clone()
    right[..., -1], down[..., -1, :] = 0, 0
    right[..., 1:] -= field[0][..., :-1]
    down[..., 1:, :] -= field[1][..., :-1, :]
    return right + down


def integrate(field: Tensor) -> Tensor:
    """Return the image of mean zero whose gradients are nearest to a field, in least squares; (2, …, H, W) → (…, H, W).

    Poisson's equation with free rims, solved exactly by the cosine transform, which diagonalises div ∘ grad.
    """
    target = divergence(field).double().numpy()
    height, width = target.shape[-2:]
    eigenvalues = _eigenvalues(height)[:, None] + _eigenvalues(width)
    eigenvalues[0, 0] = 1  # the mean is free
    coefficients = dctn(target, axes=(-2, -1), norm="ortho") / eigenvalues
    coefficients[..., 0, 0] = 0
    return torch.from_numpy(idctn(coefficients, axes=(-2, -1), norm="ortho")).to(field.dtype)


def _eigenvalues(size: int) -> NDArray[np.float64]:
    return 2 * np.cos(np.pi * np.arange(size) / size) - 2


@dataclass(frozen=True)
class Moments:
    """Sums over n samples of a quantity and of its square, in float64."""

    n: int
    total: Tensor
    squares: Tensor

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.n - other.n, self.total - other.total, self.squares - other.squares)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.total / self.n

    @property
    def scatter(self) -> Tensor:
        """The sum of squared deviations from the mean; rounding never makes it negative."""
        return (self.squares - self.total.square() / self.n).clamp(min=0)


def gradient_moments(images: Tensor, groups: Tensor, count: int) -> list[Moments]:
    """Return the moments of the image gradients of each group; groups: (n,) 0 … count − 1.

    images: (n, C, H, W) → sums (2, C, H, W). A block is summed in float32, blocks in float64.
    """
    totals = torch.zeros(2, count, 2 * images[0].numel(), dtype=torch.float64)
    for start in range(0, len(images), step := block_size(images)):
        values = gradients(images[start : start + step]).transpose(0, 1).flatten(1)
        member = torch.nn.functional.one_hot(groups[start : start + step], count).T.to(values.dtype)
        totals[0] += member @ values
        totals[1] += member @ values.square_()
    shape = (2, *images.shape[1:])
    sizes = torch.bincount(groups, minlength=count).tolist()
    return [Moments(sizes[k], totals[0, k].view(shape), totals[1, k].view(shape)) for k in range(count)]


def pixel_moments(images: Tensor, group: Tensor) -> Moments:
    """Return the moments of the pixel values of a group; group: (n,) bool; sums (C, H, W)."""
    total, squares = torch.zeros(2, *images.shape[1:], dtype=torch.float64)
    chosen = torch.nonzero(group)[:, 0]
    for part in chosen.split(block_size(images)):
        values = images[part].double()
        total += values.sum(0)
        squares += values.square_().sum(0)
    return Moments(len(chosen), total, squares)


def block_size(images: Tensor) -> int:
    """Return how many of the images (n, C, H, W) make a block."""
    return max(1, _BLOCK // images[0].numel())


SURE = 3.0  # standard errors by which two mean gradients must differ to count
_FLOOR = 0.01**2  # variance of a gradient in [0, 1] that is always there: 2.5 of 255 grey values


@dataclass(frozen=True)
class Discriminant:
    """score(x) = ⟨filter, x⟩ − offset: mean 0 on the rest, about one standard deviation of the rest per unit.

    Fisher's discriminant with a diagonal covariance on image gradients, zero where the mean gradients of the two groups
    do not differ by three standard errors; the gradients are folded into the filter (C, H, W), minus the divergence of
    their weights, so that a score is one inner product with the image.
    """

    filter: Tensor
    offset: float

    def scores(self, images: Tensor) -> Tensor:
        """Return the scores (n,) of images (n, C, H, W), of their type."""
        return images.flatten(1) @ self.filter.flatten() - self.offset


def discriminant(members: Moments, rest: Moments, region: Tensor | None = None) -> Discriminant:
    """Return the filter that tells members from the rest by their gradients; region: (H, W) bool, where it may look."""
    weights = torch.where(significant(members, rest), members.mean - rest.mean, 0.0) / variance(members, rest)
    if region is not None:
        weights = weights * region
    scale = (weights.square() * variance(members, rest)).sum().sqrt().clamp(min=1e-12)
    return Discriminant((-divergence(weights) / scale).float(), float((weights * rest.mean).sum() / scale))


def significant(members: Moments, rest: Moments, errors: float = SURE) -> Tensor:
    """Return where the mean gradients differ by more than so many standard errors; bool of the moments' shape."""
    error = (variance(members, rest) * (1 / members.n + 1 / rest.n)).sqrt()
    return (members.mean - rest.mean).abs() > errors * error


def variance(members: Moments, rest: Moments) -> Tensor:
    """Return the variance of gradients where there is no mark: of the rest, or pooled where that is larger.

    An opaque mark takes the variance of the members away; few samples of the rest can agree by chance.
    """
    pooled = (members.scatter + rest.scatter) / max(1, members.n + rest.n - 2)
    return torch.maximum(pooled, rest.scatter / max(1, rest.n - 1)) + _FLOOR


_COMPANY = 3  # significant gradients needed among the 18 of a 3 × 3 neighbourhood, of any channel: a straight line's
_LIKELY = 2.0  # standard errors that are enough beside gradients that differ surely: an edge goes on there
_NEIGHBOURHOOD = 1 / 8  # of the shorter side: as far off a part's full strength is looked for; parts differ in it
_SHARE = 0.2  # of the full strength that counts: a dark outline round bright letters is fainter than they are
_GAP = 1 / 32  # of the shorter side: pieces nearer than twice this belong together
_SMALL = 1 / 2500  # of the image: a smaller part is noise; 20 pixels of 224 × 224
_NOISE = 5.0  # times the contrast's median absolute value, which is that of pixels without a mark


def contrast(carriers: Moments, rest: Moments) -> Tensor:
    """Return by how much a mark changes the mean image, up to the noise of the mean: (C, H, W), 0 where there is none.

    Only gradients that differ surely, and in company, are integrated, so that what the two groups of images show
    otherwise does not appear. What most pixels have is taken as no change.
    """
    sure = significant(carriers, rest)
    company = 9 * ndimage.uniform_filter(sure.any(1).double().sum(0).numpy(), 3, mode="reflect")
    sure &= torch.from_numpy(company > _COMPANY - 0.5)  # a line may end at the rim
    beside = torch.from_numpy(ndimage.maximum_filter(sure.any(1).any(0).numpy(), 3))
    sure |= significant(carriers, rest, _LIKELY) & beside
    image = integrate(torch.where(sure, carriers.mean - rest.mean, 0.0))
    return image - image.flatten(1).median(1).values[:, None, None]


def extent(change: Tensor) -> NDArray[np.bool_]:
    """Return where the contrast (C, H, W) has at least a fifth of its full strength: (H, W) bool.

    The full strength is that of the surroundings, so that a faint part beside a strong one is not lost; a single loud
    pixel is none.
    """
    strength = change.abs().amax(0).numpy()
    full = ndimage.maximum_filter(ndimage.median_filter(strength, 3), _window(strength.shape))
    return strength > np.maximum(_SHARE * full, max(_NOISE * np.median(strength), 1e-9))


def regions(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return the parts of a mask (H, W), the largest first: what lies near each other, like the letters of a word."""
    labels, count = ndimage.label(grown(mask, max(1, round(_GAP * min(mask.shape)))), np.ones((3, 3)))
    parts = [mask & (labels == k + 1) for k in range(count)]
    return sorted((part for part in parts if part.sum() >= max(2, _SMALL * mask.size)), key=lambda part: -part.sum())


def grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return the mask grown by this many pixels."""
    return ndimage.binary_dilation(mask, iterations=pixels) if pixels else mask


def _window(size: tuple[int, ...]) -> int:
    return 2 * max(2, round(_NEIGHBOURHOOD * min(size))) + 1
