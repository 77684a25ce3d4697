"""A curve for each colour channel: casts, contrast, brightness, gamma, fading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

KNOTS = 33
_CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class ChannelMap:
    """Maps every value of a channel by a rising curve, linear between evenly spaced knots.

    curves: (3, K) values in [0, 1] at the knots 0 … 1, none below the one before it. Undoing takes the middle of all
    values that the curve maps to the same one: what was cut off at black or white does not come back.
    Raises ValueError for other curves.
    """

    curves: Tensor
    name: ClassVar[str] = "colour curves"

    def __post_init__(self) -> None:
        curves = self.curves
        if curves.ndim != 2 or curves.shape[0] != 3 or curves.shape[1] < 2:
            raise ValueError(f"curves must be (3, K) of two or more knots, got shape {tuple(curves.shape)}")
        if not bool(((curves >= 0) & (curves <= 1)).all() and (curves.diff(dim=1) >= 0).all()):
            raise ValueError("curves must rise, or stay, within [0, 1], got others")

    @property
    def sentence(self) -> str:
        """What becomes of dark, middle and bright values, channel by channel."""
        grey = torch.tensor([0.25, 0.5, 0.75]).expand(3, 1, 3)
        after = self.apply(grey[None])[0, :, 0]
        told = (f"{name} {a:.2f}, {b:.2f}, {c:.2f}" for name, (a, b, c) in zip(_CHANNELS, after.tolist(), strict=True))
        return f"maps the values 0.25, 0.50 and 0.75 to {'; '.join(told)}"

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
