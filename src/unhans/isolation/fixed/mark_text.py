"""An isolated artifact in plain words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unhans.isolation.fixed.mark_parts import Choice, Mark, Part
from unhans.isolation.isolated import boxes

_OPAQUE = 0.95


def describe(mark: Mark, members: NDArray[np.bool_], separation: float) -> str:
    """Return one sentence: kind, where, how transparent, how many carry it, how well it is told from the rest."""
    alpha = float(np.median(mark.layer[3].numpy()[mark.place]))
    opacity = "opaque" if alpha > _OPAQUE else f"{100 * alpha:.0f} % opaque"
    sentence = (
        f"A fixed artifact {where(mark.place)}, on {100 * mark.place.mean():.1f} % of the image"
        f"{_box(mark.place)}, {opacity}; {members.sum()} of {len(members)} images carry it "
        f"(cross-fitted AUC of the cluster {separation:.2f})"
    )
    return sentence + _reservations(mark.choice) + "."


def _box(place: NDArray[np.bool_]) -> str:
    top, left, bottom, right = boxes(place[None])[0]
    if (bottom - top, right - left) == place.shape:
        return ""
    return f" ({right - left} × {bottom - top} pixels at x {left}, y {top})"


def _reservations(choice: Choice) -> str:
    text = "" if choice.faint is None else f"; relevance there is only {choice.faint:.2f} of the map's mean"
    if choice.left:
        text += f"; not kept: {' and '.join(_left(part) for part in choice.left)}, shared as well but hardly relevant"
    return text


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
