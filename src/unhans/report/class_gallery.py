"""Samples of the striking cluster beside the rest of the class, each image with its heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import colorize, picture, scale
from unhans.report.canvas import ALARM, INK, QUIET, blank, legible, place, shorten, write
from unhans.report.tables import SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from unhans.spray import Suspicion
    from unhans.spray.finding import ClassAudit

COLUMNS = 4
MEMBER_ROWS = 3
OTHER_ROWS = 2
PAIR = 2.2  # an image, a heatmap and the gap after them, in tiles
ROW = 1.3  # a tile and its caption
HEADING = 0.3
SPACE = 0.14  # between the two blocks
WIDTH = 24  # characters of a class name in a caption; a split takes ten of them
NOTES = ("predicted class · rank of the true label (1 = first)", "warm supports the class, cold contradicts it")


@dataclass(frozen=True)
class Shown:
    """What a class page shows: the audit of n samples, their images, all class names, the cluster's members (n,)."""

    audit: ClassAudit
    images: Sequence[Any] | NDArray[Any]
    classes: Sequence[str]
    members: NDArray[np.bool_]
    cmap: str
    suspicion: Suspicion | None


def gallery(axes: Axes, shown: Shown) -> None:
    """Draw members of the cluster, from typical to marginal, and other samples of the class."""
    blank(axes, COLUMNS * PAIR - 0.2, 2 * HEADING + SPACE + (MEMBER_ROWS + OTHER_ROWS) * ROW)
    top = 0.0
    for heading, samples, rows in _blocks(shown):
        write(axes, 0, top + 0.16, heading, fontsize=10, weight="bold")
        top += HEADING
        for slot, i in enumerate(_spread(samples, rows * COLUMNS)):
            _pair(axes, PAIR * (slot % COLUMNS), top + ROW * (slot // COLUMNS), shown, int(i))
        top += rows * ROW + SPACE
    notes = NOTES if shown.audit.split is None else (f"{NOTES[0]} · split", NOTES[1])
    for line, note in enumerate(notes):
        write(axes, COLUMNS * PAIR - 0.2, 0.16 * line, note, color=QUIET, ha="right", fontsize=7)


def _blocks(shown: Shown) -> list[tuple[str, NDArray[np.int64], int]]:
    others = np.flatnonzero(~shown.members)
    if not shown.members.any():
        return [("Samples of the class (no cluster stands apart)", others, MEMBER_ROWS + OTHER_ROWS)]
    apart = shown.suspicion is None or shown.suspicion.suspicious
    heading = "Striking cluster" if apart else "Most striking cluster (not set apart)"
    return [
        (f"{heading}, from typical to marginal", _by_centrality(shown), MEMBER_ROWS),
        ("Other samples of the class", others, OTHER_ROWS),
    ]


def _pair(axes: Axes, left: float, top: float, shown: Shown, i: int) -> None:
    audit, image = shown.audit, np.asarray(shown.images[i])
    right = audit.prediction[i] == audit.label
    write(axes, left, top + 0.2, _caption(shown, i), color=INK if right else ALARM)
    place(axes, picture(image / 255 if image.dtype == np.uint8 else image), left, top + 0.26)
    place(axes, colorize(scale(legible(audit.heatmaps[i : i + 1]))[0], shown.cmap), left + 1, top + 0.26)


def _caption(shown: Shown, i: int) -> str:
    audit, name = shown.audit, shown.classes[shown.audit.prediction[i]]
    if audit.split is None:
        return f"{shorten(name, WIDTH)} · {audit.rank[i] + 1}"
    return f"{shorten(name, WIDTH - 10)} · {audit.rank[i] + 1} · {SPLITS[audit.split[i]]}"


def _by_centrality(shown: Shown) -> NDArray[np.int64]:
    chosen = np.flatnonzero(shown.members)
    points = shown.audit.spray.embedding_[chosen]
    return chosen[np.argsort(np.linalg.norm(points - points.mean(0), axis=1), kind="stable")]


def _spread(samples: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    at = np.linspace(0, len(samples) - 1, min(count, len(samples)))
    return samples[at.round().astype(int)]
