"""A linear filter that tells images with a mark from those without, learned from a few that carry it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unhans.artifacts.gradients import divergence
from unhans.artifacts.moments import Moments

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
