"""An isolated artifact in plain words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.relevant import Part

_OPAQUE = 0.95


def describe(
    layer: Tensor, place: NDArray[np.bool_], members: NDArray[np.bool_], separation: float, left: Sequence[Part]
) -> str:
    """Return one sentence: kind, where, how transparent, how many carry it, how well it is told from the rest."""
    alpha = float(np.median(layer[3].numpy()[place]))
    opacity = "opaque" if alpha > _OPAQUE else f"{alpha:.0%} opaque"
    sentence = (
        f"A fixed artifact {where(place)}, on {place.mean():.1%} of the image, {opacity}; {members.sum()} of "
        f"{len(members)} images carry it (held-out AUC of the cluster {separation:.2f})"
    )
    if left:
        sentence += f"; not kept: {' and '.join(_left(part) for part in left)}, shared as well but hardly relevant"
    return sentence + "."


def where(place: NDArray[np.bool_]) -> str:
    """Return in words where a mask (H, W) lies: along the rim, or in which ninth of the image its middle is."""
    if all(side.mean() > 0.5 for side in (place[0], place[-1], place[:, 0], place[:, -1])):
        return "along the rim"
    corners = place[[0, 0, -1, -1], [0, -1, 0, -1]]
    if corners.all():
        return "in the four corners"
    rows, columns = np.nonzero(place)
    vertical = _third(rows.mean() / len(place), ("at the top", "in the middle", "at the bottom"))
    horizontal = _third(columns.mean() / place.shape[1], ("left", "centre", "right"))
    return vertical if horizontal == "centre" else f"{vertical} {horizontal}"


def _third(position: float, names: tuple[str, str, str]) -> str:
    return names[min(2, int(3 * position))]


def _left(part: Part) -> str:
    return f"{part.mask.sum()} pixels {where(part.mask)} (relevance {part.density:.1f} of the map's mean)"
