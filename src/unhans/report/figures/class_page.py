"""What was found in one class on one page: spectrum, map, mean heatmaps, gallery ([000] figs 4, 6 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unhans.attribution import colorize, picture, scale
from unhans.report.figures.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, blank, legible, page, place, write
from unhans.report.pictures import heatmap_tiles, image_tiles, tile_size
from unhans.report.tables import SPLITS
from unhans.report.text import class_sentence, shorten
from unhans.spray import slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.spray import ClassAudit, Suspicion


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


TITLE = 95  # characters that fit beside each other at 14 points


def class_figure(
    audit: ClassAudit,
    images: Sequence[Any] | NDArray[Any],
    classes: Sequence[str],
    *,
    suspicion: Suspicion | None = None,
    subtitle: str = "",
    cmap: str = "hot-cold",
) -> Figure:
    """Draw spectrum, map and mean heatmaps of a class beside samples of its striking cluster and of the rest.

    Where two splits were audited together, map and captions tell training from validation samples.

    Args:
        audit: the class, n samples.
        images: n images in [0, 1], or uint8, (3, H, W) or (H, W, 3) each; only those that are shown are read.
        classes: the name of every class, by index.
        suspicion: the class's place in the ranking; gives the verdict in the title.
        subtitle: a line under the title, such as the epoch and the rule set.
        cmap: a colour map of `colorize`.

    Raises:
        ValueError: there is not one image per sample, or an image lies outside of [0, 1].
    """
    if len(images) != len(audit.index):
        raise ValueError(f"There must be one image per audited sample ({len(audit.index)}); got {len(images)}.")
    members = np.zeros(len(audit.index), bool) if audit.cluster is None else audit.cluster.members
    shown = Shown(audit, images, classes, members, cmap, suspicion)
    figure = page(12, 7.4)
    title = class_sentence(audit, suspicion)
    figure.text(0.02, 0.975, title, **(_title_style(suspicion) | {"fontsize": min(14, 14 * TITLE / len(title))}))
    figure.text(0.02, 0.93, shorten(subtitle, 180), va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    spectrum(figure.add_axes((0.045, 0.625, 0.285, 0.225)), audit, _title_style(suspicion)["color"])
    embedding_map(figure.add_axes((0.045, 0.25, 0.285, 0.29)), audit, members)
    means(figure.add_axes((0.045, 0.005, 0.285, 0.185)), audit, members, cmap)
    gallery(figure.add_axes((0.365, 0.005, 0.63, 0.87)), shown)
    return figure


def _title_style(suspicion: Suspicion | None) -> dict[str, Any]:
    alarm = suspicion is not None and suspicion.suspicious
    return TEXT | {"fontsize": 14, "weight": "bold", "va": "top", "color": ALARM if alarm else INK}


SHOWN = 6
SIDE = 64  # pixels of a tile
GAP = 2


def cluster_strip(audit: ClassAudit, images: Any, cmap: str = "hot-cold") -> Image.Image:
    """Draw some members of the striking cluster, images above heatmaps; of the class where it has no cluster.

    images: (n, 3, H, W) in [0, 1] or uint8; only those that are shown are read.
    """
    members = np.arange(len(audit.index)) if audit.cluster is None else audit.cluster.members.nonzero()[0]
    shown = members[np.linspace(0, len(members) - 1, min(SHOWN, len(members))).round().astype(np.int64)]
    size = tile_size(*images.shape[2:], SIDE)
    below, _ = heatmap_tiles(audit.heatmaps, shown, np.zeros((0, len(audit.index))), size, cmap)
    return Image.fromarray(np.concatenate([_row(image_tiles(images, shown, size)), _row(below)]))


def _row(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    padded = [np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for tile in tiles]
    return np.concatenate(padded, axis=1)
