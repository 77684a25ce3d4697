"""The correction of feature maps: h' = h − v vᵀ(h − z), and the same for several directions at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unhans.clarc.cav import Concept, Spatial

DEPENDENT = 1e-5  # eigenvalues of V Vᵀ below this share of the largest: directions that are one, in float32


class Correction(nn.Module):
    """Moves feature maps along directions until each has its target [001; METHODS §5].

    forward(h) = h − strength · V⁺(V h − t), with a direction in every row of V and t_i = ⟨v_i, z_i⟩. At strength 1 all
    conditions ⟨v_i, h'⟩ = t_i hold at once, by the smallest possible change; for one unit direction this is
    h − v vᵀ(h − z). At strength 0 it returns h itself.

    Args:
        directions: (k, C, H, W), (k, H, W, C) or (k, N, C) for one weight per element; for one per channel, applied at
            every position, (k, C, 1, 1) or (k, C) of (n, C, H, W), (k, 1, 1, C) of (n, H, W, C), (k, 1, C) of tokens
            (n, N, C).
        targets: (k,), what the inner products become.
        strength: how much of the way, from 0 to 1.
        thresholds: (k,), None to correct always; else reactive: a direction is corrected only in samples where
            ⟨h, v_i⟩, for channels averaged over positions, is above its threshold.

    Attributes:
        directions, inverse: as `directions`, with sides of 1 for channels; the rows of V and the columns of V⁺.
        targets, thresholds: (k, 1, 1, 1), for tokens (k, 1, 1). All are buffers; thresholds are −∞ where it is not
            reactive.
        spatial: "positions" or "channels"; feature maps of one element are both, and called "channels".
        axis: of the channels in the features where `spatial` is "channels", else None.

    Raises:
        ValueError: for a strength outside [0, 1] and tensors whose shapes do not fit.
    """

    directions: Tensor
    inverse: Tensor
    targets: Tensor
    thresholds: Tensor

    def __init__(
        self, directions: Tensor, targets: Tensor, strength: float = 1.0, thresholds: Tensor | None = None
    ) -> None:
        super().__init__()
        _check(directions, targets, strength, thresholds)
        rows = directions.double().flatten(1)
        inverse = torch.linalg.pinv(rows @ rows.T, rtol=DEPENDENT, hermitian=True) @ rows  # (V Vᵀ)⁺ V = (V⁺)ᵀ
        shape = (*directions.shape, 1, 1) if directions.dim() == 2 else directions.shape
        limits = torch.full_like(targets, -torch.inf) if thresholds is None else thresholds
        self.reactive = thresholds is not None
        self.strength = float(strength)
        self.axis = _channels(shape)
        self.spatial: Spatial = "positions" if self.axis is None else "channels"
        ones = [1] * (len(shape) - 1)
        self.register_buffer("directions", directions.detach().float().reshape(shape).clone())
        self.register_buffer("inverse", inverse.float().reshape(shape))
        self.register_buffer("targets", targets.detach().float().reshape(-1, *ones).clone())
        self.register_buffer("thresholds", limits.detach().float().reshape(-1, *ones).clone())

    @classmethod
    def projective(
        cls, concepts: Concept | Sequence[Concept], strength: float = 1.0, reactive: bool = False
    ) -> Correction:
        """Return P-ClArC: features as far along each direction as those of unaffected samples on average.

        Raises:
            ValueError: there are no concepts, or they are of several layers, shapes or spatial modes.
        """
        return cls._towards(concepts, "unaffected", strength, reactive)

    @classmethod
    def augmentative(cls, concepts: Concept | Sequence[Concept]) -> Correction:
        """Return A-ClArC: features as far along each direction as those of affected samples on average."""
        return cls._towards(concepts, "affected", 1.0, False)

    @classmethod
    def _towards(cls, concepts: Concept | Sequence[Concept], group: str, strength: float, reactive: bool) -> Correction:
        given = [concepts] if isinstance(concepts, Concept) else list(concepts)
        places = {(concept.layer, concept.spatial, concept.axis, tuple(concept.direction.shape)) for concept in given}
        if len(places) != 1:
            raise ValueError(f"A correction takes concepts of one layer, shape and spatial mode, got {len(places)}.")
        targets = [(concept.direction.double() * getattr(concept, group).double()).sum() for concept in given]
        thresholds = torch.tensor([concept.threshold for concept in given]) if reactive else None
        directions = torch.stack([_broadcast(concept) for concept in given])
        return cls(directions, torch.stack(targets), strength, thresholds)

    def forward(self, h: Tensor) -> Tensor:
        """Return the corrected features, of the shape and type of h."""
        if self.strength == 0:
            return h
        self._check(h)
        # Products and sums, which LRP sends relevance through in proportion whatever rule dense layers have.
        every = tuple(range(2, 1 + self.directions.dim()))  # axes of one sample, behind those of samples and directions
        along = (h.unsqueeze(1) * self.directions).sum(every if self.axis is None else self.axis + 1, keepdim=True)
        excess = along - self.targets
        if self.reactive:
            excess = torch.where(along.mean(every, keepdim=True) > self.thresholds, excess, 0.0)
        change = (excess * self.inverse).sum(1) * self.strength
        return h - change.to(h.dtype)

    def extra_repr(self) -> str:
        """Say how many directions of which kind there are."""
        kind = ", reactive" if self.reactive else ""
        count, *shape = self.directions.shape
        return f"{count} × {self.spatial} {tuple(shape)}, strength {self.strength}{kind}"

    def _check(self, h: Any) -> None:
        """Refuse feature maps of another size; a traced value has none."""
        if not isinstance(h, Tensor) or torch.jit.is_tracing():
            return
        given, expected = tuple(h.shape[1:]), tuple(self.directions.shape[1:])
        fits = given == expected if self.axis is None else given[self.axis - 1 :][:1] == expected[self.axis - 1 :][:1]
        if h.dim() != self.directions.dim() or not fits:
            raise ValueError(f"The correction is for feature maps of shape {expected}, got {given}.")


def _check(directions: Tensor, targets: Tensor, strength: float, thresholds: Tensor | None) -> None:
    if directions.dim() not in (2, 3, 4) or not len(directions):
        raise ValueError(
            f"directions expects (k, C, H, W) or (k, C), or (k, N, C) of tokens, got {tuple(directions.shape)}."
        )
    for name, values in (("targets", targets), ("thresholds", thresholds)):
        if values is not None and values.shape != directions.shape[:1]:
            raise ValueError(f"{name} expects one number per direction, got {tuple(values.shape)}.")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength expects a number from 0 to 1, got {strength!r}.")


def _channels(shape: Sequence[int]) -> int | None:
    """The axis of the channels of directions with one weight per channel: all others are 1."""
    if len(shape) == 3:
        return 2 if shape[1] == 1 else None
    if tuple(shape[2:]) == (1, 1):
        return 1
    return 3 if tuple(shape[1:3]) == (1, 1) else None


def _broadcast(concept: Concept) -> Tensor:
    """A direction of the shape of one sample's output; a weight per channel with sides of 1."""
    if concept.spatial == "positions":
        return concept.direction
    return concept.direction.reshape({1: (-1, 1, 1), 2: (1, -1), 3: (1, 1, -1)}[concept.axis])
