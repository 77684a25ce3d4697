"""The spectrum, the map and the mean heatmaps of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import colorize, scale
from unhans.report.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, blank, legible, place, write
from unhans.report.tables import SPLITS
from unhans.spray.parts import slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from unhans.spray.finding import ClassAudit

MARKERS = ("o", "^")  # of the splits
SIGNS = ("●", "▲")


def spectrum(axes: Axes, audit: ClassAudit, accent: str) -> None:
    """Draw the eigenvalues of the heatmaps' graph and of the raw images', λ₂ in a colour of its own."""
    values = audit.spray.eigenvalues_
    if audit.control is not None:
        control = audit.control.eigenvalues_
        axes.plot(np.arange(1, len(control) + 1), control, "o", ms=3, mfc="none", color=QUIET, label="raw images")
    axes.plot(np.arange(1, len(values) + 1), values, "o", ms=3.5, color=BLUE, label="heatmaps")
    axes.plot(2, values[1], "o", ms=6, color=accent, label=f"λ₂ = {values[1]:.3f}")
    axes.axvline(audit.spray.eigengap_ + 0.5, ls=":", lw=1, color=INK, label=f"eigengap after {audit.spray.eigengap_}")
    axes.set_ylim(bottom=-0.04 * values.max())
    axes.set_xticks([1, *range(5, len(values) + 1, 5)])
    _tidy(axes, f"Eigenvalues of the graph (τ = {audit.spray.separability_:.2f})")
    axes.legend(fontsize=7, loc="lower right", frameon=False, handlelength=1.2)


def embedding_map(axes: Axes, audit: ClassAudit, members: NDArray[np.bool_]) -> None:
    """Draw every sample as a point of the 2-D map, members (n,) in red, training and validation in their own shape."""
    spray = audit.spray
    projected = spray.projection_ is not None
    points = spray.projection_ if projected else spray.embedding_[:, min(1, spray.embedding_.shape[1] - 2) :][:, :2]
    split = np.zeros(len(members), dtype=np.uint8) if audit.split is None else audit.split
    for chosen, colour, size in ((~members, REST, 9), (members, ALARM, 11)):
        for number in range(1 if audit.split is None else 2):
            found = points[chosen & (split == number)]
            axes.scatter(*found.T, s=size * (1 + number), color=colour, linewidths=0, marker=MARKERS[number])
    axes.set_xticks([])
    axes.set_yticks([])
    _tidy(axes, "Map of the embedding Φ" if projected else "Two axes of the embedding Φ")
    if audit.split is not None:
        marks = (f"{sign} {name}" for sign, name in zip(SIGNS, SPLITS, strict=True))
        axes.set_title("   ".join(marks), loc="right", **(TEXT | {"color": QUIET}))
    if audit.cluster is not None:
        axes.set_xlabel(_cluster_note(audit, members), **(TEXT | {"color": ALARM}))


def means(axes: Axes, audit: ClassAudit, members: NDArray[np.bool_], cmap: str) -> None:
    """Draw the mean heatmap of the members (n,) and that of the others, each map scaled to its own maximum first."""
    blank(axes, 2.9, 1.3)
    groups = [("mean heatmap, cluster", members), ("mean heatmap, rest", ~members)]
    groups = [group for group in groups if group[1].any()] if members.any() else [("mean heatmap", ~members)]
    found = _mean_maps(audit, np.array([chosen for _, chosen in groups]))
    for column, ((caption, _), mean) in enumerate(zip(groups, found, strict=True)):
        place(axes, colorize(scale(mean), cmap), 1.45 * column, 0.22)
        write(axes, 1.45 * column, 0.14, caption, color=QUIET)


def _cluster_note(audit: ClassAudit, members: NDArray[np.bool_]) -> str:
    note = f"striking cluster: {members.sum()} of {len(members)} samples, score {audit.cluster.score:.2f}"
    if audit.split is None:
        return f"● {note}"
    return f"{note}\n{(audit.split[members] == 1).sum()} of the cluster's {members.sum()} are validation images"


def _mean_maps(audit: ClassAudit, groups: NDArray[np.bool_]) -> NDArray[np.floating]:
    """The mean map of each group (m, n), from parts of the heatmaps, which may lie on disk."""
    total = 0.0
    for part in slices(audit.heatmaps.shape):
        total = total + np.tensordot(groups[:, part].astype(np.float64), scale(legible(audit.heatmaps[part])), 1)
    return total / groups.sum(axis=1)[:, None, None]


def _tidy(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", **(TEXT | {"fontsize": 9, "weight": "bold"}))
    axes.tick_params(labelsize=7, color=REST, labelcolor=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(REST)
