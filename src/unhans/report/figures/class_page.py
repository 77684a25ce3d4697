"""What was found in one class on one page: spectrum, map, mean heatmaps, gallery ([000] figs 4, 6 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from unhans.attribution import colorize, picture, scale
from unhans.report.figures import canvas
from unhans.report.pictures import heatmap_tiles, image_tiles, tile_size
from unhans.report.tables import SPLITS
from unhans.report.text import class_sentence, shorten
from unhans.spray import ClassAudit, Suspicion, slices

WIDTH, HEIGHT = 12, 6.75  # inches, the title left out
MARKERS = ("o", "^")  # of the splits
SIGNS = ("●", "▲")
COLUMNS = 4
MEMBER_ROWS = 3
OTHER_ROWS = 2
PAIR = 2.2  # an image, a heatmap and the gap after them, in tiles
ROW = 1.3  # a tile and its caption
ABOVE = 0.3  # tiles: the heading of a block
SPACE = 0.14  # tiles between the two blocks
MEANS = 3  # groups whose mean heatmap is drawn, at most, where nobody asks for more
MOST_GROUPS = 6
STEP = 1.45  # tiles from one mean heatmap to the next
REST, OTHERS, WHOLE = "mean heatmap, rest", "rest", "mean heatmap"
NAME = 24  # characters of a class name in a caption; a split takes ten of them
NOTES = ("predicted class · rank of the true label (1 = first)", "warm supports the class, cold contradicts it")


def class_figure(
    audit: ClassAudit,
    images: Sequence[Any] | NDArray[Any],
    classes: Sequence[str],
    *,
    suspicion: Suspicion | None = None,
    subtitle: str = "",
    cmap: str = "hot-cold",
    groups: int | None = None,
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
        groups: how many striking groups have samples of their own and a mean heatmap, 1 to 6; None: samples of the most
            striking one, and up to three mean heatmaps.

    Raises:
        ValueError: there is not one image per sample, so many groups have no room, or an image lies outside of [0, 1].
    """
    if len(images) != len(audit.index):
        raise ValueError(f"There must be one image per audited sample ({len(audit.index)}); got {len(images)}.")
    if groups is not None and not 1 <= groups <= MOST_GROUPS:
        raise ValueError(f"The page of a class has room for 1 to {MOST_GROUPS} groups; got {groups}.")
    members = np.zeros(len(audit.index), bool) if audit.cluster is None else audit.cluster.members
    colour = canvas.ALARM if suspicion is not None and suspicion.suspicious else canvas.INK
    figure, share = canvas.headed(WIDTH, HEIGHT, class_sentence(audit, suspicion), subtitle, colour)
    _draw_spectrum(figure.add_axes((0.045, 0.7 * share, 0.285, 0.25 * share)), audit, colour)
    _draw_map(figure.add_axes((0.045, 0.285 * share, 0.285, 0.315 * share)), audit, members)
    _draw_means(figure.add_axes((0.045, 0.005, 0.285, 0.205 * share)), audit, members, cmap, groups or MEANS)
    heading = (
        "Striking cluster" if suspicion is None or suspicion.suspicious else "Most striking cluster (not set apart)"
    )
    gallery = figure.add_axes((0.365, 0.005, 0.63, 0.98 * share))
    blocks = _blocks(audit, members, heading) if groups is None else _group_blocks(audit, members, groups)
    _draw_gallery(gallery, audit, images, classes, blocks, cmap)
    return figure


def _draw_spectrum(axes: Axes, audit: ClassAudit, accent: str) -> None:
    """Draw the eigenvalues of the heatmaps' graph and of the raw images', λ₂ in a colour of its own."""
    values, gap = audit.spray.eigenvalues_, audit.spray.eigengap_
    if audit.control is not None:
        control = audit.control.eigenvalues_
        style = {"ms": 3, "mfc": "none", "color": canvas.QUIET, "label": "raw images"}
        axes.plot(np.arange(1, len(control) + 1), control, "o", **style)
    axes.plot(np.arange(1, len(values) + 1), values, "o", ms=3.5, color=canvas.BLUE, label="heatmaps")
    axes.plot(2, values[1], "o", ms=6, color=accent, label=f"λ₂ = {values[1]:.3f}")
    axes.axvline(gap + 0.5, ls=":", lw=1, color=canvas.INK, label=f"eigengap after {gap}")
    axes.set_ylim(bottom=-0.04 * values.max())
    axes.set_xticks([1, *range(5, len(values) + 1, 5)])
    over = f"τ = {audit.spray.separability_:.2f} over k ≤ {max(audit.spray.n_clusters_)}"
    several = audit.spray.tau_directions > 1  # a longer title has no room
    title = (
        f"Eigenvalues ({over}, {audit.spray.tau_directions} directions)"
        if several
        else f"Eigenvalues of the graph ({over})"
    )
    canvas.tidy(axes, title, frame=("left", "bottom"))
    axes.legend(fontsize=7, loc="lower right", frameon=False, handlelength=1.2)


def _draw_map(axes: Axes, audit: ClassAudit, members: NDArray[np.bool_]) -> None:
    """Draw every sample as a point of the 2-D map, members (n,) in red, training and validation in their own shape."""
    points, projected = map_points(audit), audit.spray.projection_ is not None
    split = np.zeros(len(members), dtype=np.uint8) if audit.split is None else audit.split
    for chosen, colour, size in ((~members, canvas.REST, 9), (members, canvas.ALARM, 11)):
        for number in range(1 if audit.split is None else 2):
            found = points[chosen & (split == number)]
            axes.scatter(*found.T, s=size * (1 + number), color=colour, linewidths=0, marker=MARKERS[number])
    axes.set(xticks=[], yticks=[])
    title = "Map of the embedding Φ" if projected else "Two axes of the embedding Φ"
    canvas.tidy(axes, title, frame=("left", "bottom"))
    if audit.split is not None:
        marks = (f"{sign} {name}" for sign, name in zip(SIGNS, SPLITS, strict=True))
        axes.set_title("   ".join(marks), loc="right", **canvas.QUIET_TEXT)
    if audit.cluster is not None:
        axes.set_xlabel(_cluster_note(audit, members), **canvas.TEXT | {"color": canvas.ALARM})


def map_points(audit: ClassAudit) -> NDArray[np.floating]:
    """Return where samples lie on a map (n, 2): the projection, or two axes of Φ where there is none."""
    if audit.spray.projection_ is not None:
        return audit.spray.projection_
    embedding = audit.spray.embedding_
    return embedding[:, min(1, embedding.shape[1] - 2) :][:, :2]


def _cluster_note(audit: ClassAudit, members: NDArray[np.bool_]) -> str:
    note = f"striking cluster: {members.sum()} of {len(members)} samples, score {audit.cluster.score:.2f}"
    if audit.split is None:
        return f"● {note}"
    return f"{note}\n{(audit.split[members] == 1).sum()} of the cluster's {members.sum()} are validation images"


def _draw_means(axes: Axes, audit: ClassAudit, members: NDArray[np.bool_], cmap: str, most: int) -> None:
    """Draw the mean heatmap of each group and that of the others, each map scaled to its own maximum first.

    A ring marks where the relevance that a group has in common is largest.
    """
    groups = _mean_groups(audit, members, most)
    canvas.blank(axes, max(2.9, STEP * len(groups)), 1.3)
    found = _mean_maps(audit, np.array([chosen for _, chosen in groups]))
    for column, ((caption, _), mean) in enumerate(zip(groups, found, strict=True)):
        canvas.place(axes, colorize(scale(mean), cmap), STEP * column, 0.22)
        canvas.write(axes, STEP * column, 0.14, caption, color=canvas.QUIET)
        if caption not in (REST, WHOLE, OTHERS):
            axes.plot(*_largest(mean, STEP * column, 0.22), "o", ms=9, mfc="none", mec="white", mew=1.2)


def _mean_groups(audit: ClassAudit, members: NDArray[np.bool_], most: int) -> list[tuple[str, NDArray[np.bool_]]]:
    """The groups whose mean is drawn, with their captions: the striking ones, and the rest of the class."""
    if not members.any():
        return [(WHOLE, ~members)]
    striking = [cluster.members for cluster in audit.candidates[:most]]
    word = "group " * (len(striking) <= MEANS)  # more have no room for it
    named = [(f"{word}{i}: {each.sum()}", each) for i, each in enumerate(striking, 1)]
    named = named if len(named) > 1 else [("mean heatmap, cluster", members)]
    rest = ~np.any([each for _, each in named], axis=0)
    return [*named, (REST if len(named) == 1 else OTHERS, rest)] if rest.any() else named


def _largest(mean: NDArray[np.floating], left: float, top: float) -> tuple[float, float]:
    """Where the largest value of a map (H, W) lies that is placed into a square of side 1."""
    sides = np.array(mean.shape) / max(mean.shape)
    row, column = (np.array(np.unravel_index(mean.argmax(), mean.shape)) + 0.5) / mean.shape * sides
    return left + (1 - sides[1]) / 2 + column, top + row


def _mean_maps(audit: ClassAudit, groups: NDArray[np.bool_]) -> NDArray[np.floating]:
    """The mean map of each group (m, n), from parts of the heatmaps, which may lie on disk."""
    total = 0.0
    for part in slices(audit.heatmaps.shape):
        total = total + np.tensordot(groups[:, part].astype(np.float64), scale(canvas.legible(audit.heatmaps[part])), 1)
    return total / groups.sum(axis=1)[:, None, None]


class Block(NamedTuple):
    """Samples under a heading, in so many rows."""

    heading: str
    samples: NDArray[np.int64]
    rows: int


def _blocks(audit: ClassAudit, members: NDArray[np.bool_], heading: str) -> list[Block]:
    """The cluster, from typical to marginal, and other samples of the class."""
    others = np.flatnonzero(~members)
    if not members.any():
        return [Block("Samples of the class (no cluster stands apart)", others, MEMBER_ROWS + OTHER_ROWS)]
    typical = Block(f"{heading}, from typical to marginal", typical_first(audit, members), MEMBER_ROWS)
    return [typical, Block("Other samples of the class", others, OTHER_ROWS)]


def _group_blocks(audit: ClassAudit, members: NDArray[np.bool_], most: int) -> list[Block]:
    """A row for each of the most striking groups, from typical to marginal, and samples of none of them."""
    striking = audit.candidates[:most]
    if not striking:
        return _blocks(audit, members, "")
    found = []
    for i, each in enumerate(striking, 1):
        heading = f"Group {i}: {each.members.sum()} samples by {shorten(each.view, NAME)}"
        found.append(Block(heading, typical_first(audit, each.members), 1))
    rest = np.flatnonzero(~np.any([each.members for each in striking], axis=0))
    rows = max(1, MEMBER_ROWS + OTHER_ROWS - len(found))
    alone = "Samples of none of these groups" + " (which may share samples)" * (len(found) > 1)
    return [*found, *([Block(alone, rest, rows)] if len(rest) else [])]


def _draw_gallery(
    axes: Axes,
    audit: ClassAudit,
    images: Sequence[Any] | NDArray[Any],
    classes: Sequence[str],
    blocks: Sequence[Block],
    cmap: str,
) -> None:
    """Draw blocks of samples with their heatmaps, each under its heading."""
    right, count = COLUMNS * PAIR - 0.2, max(2, len(blocks))
    height = count * ABOVE + (count - 1) * SPACE + sum(block.rows for block in blocks) * ROW
    canvas.blank(axes, right, height)
    above = 0.0
    for words, samples, rows in blocks:
        canvas.write(axes, 0, above + 0.16, words, fontsize=10, weight="bold")
        for slot, i in enumerate(canvas.choose_evenly(samples, rows * COLUMNS)):
            left, top = PAIR * (slot % COLUMNS), above + ABOVE + ROW * (slot // COLUMNS) + 0.26
            image, colour = np.asarray(images[i]), canvas.INK if audit.prediction[i] == audit.label else canvas.ALARM
            canvas.write(axes, left, top - 0.06, _caption(audit, classes, i), color=colour)
            canvas.place(axes, picture(image / 255 if image.dtype == np.uint8 else image), left, top)
            canvas.place(axes, colorize(scale(canvas.legible(audit.heatmaps[i : i + 1]))[0], cmap), left + 1, top)
        above += ABOVE + rows * ROW + SPACE
    notes = NOTES if audit.split is None else (f"{NOTES[0]} · split", NOTES[1])
    for line, note in enumerate(notes):
        canvas.write(axes, right, 0.16 * line, note, color=canvas.QUIET, ha="right", fontsize=7)


def _caption(audit: ClassAudit, classes: Sequence[str], i: int) -> str:
    name, rank = classes[audit.prediction[i]], audit.rank[i] + 1
    if audit.split is None:
        return f"{shorten(name, NAME)} · {rank}"
    return f"{shorten(name, NAME - 10)} · {rank} · {SPLITS[audit.split[i]]}"


def typical_first(audit: ClassAudit, members: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the members (n,) of a group as indices, those nearest to its centre in Φ first."""
    chosen = np.flatnonzero(members)
    points = audit.spray.embedding_[chosen]
    return chosen[np.argsort(np.linalg.norm(points - points.mean(0), axis=1), kind="stable")]


SHOWN = 6
SIDE = 64  # pixels of a tile
GAP = 2


def cluster_strip(audit: ClassAudit, images: Any, cmap: str = "hot-cold") -> Image.Image:
    """Draw some members of the striking cluster, images above heatmaps; of the class where it has no cluster.

    images: (n, 3, H, W) in [0, 1] or uint8; only those that are shown are read.
    """
    members = np.arange(len(audit.index)) if audit.cluster is None else audit.cluster.members.nonzero()[0]
    shown = np.array(canvas.choose_evenly(members, SHOWN), dtype=np.int64)
    size = tile_size(*images.shape[2:], SIDE)
    below, _ = heatmap_tiles(audit.heatmaps, shown, np.zeros((0, len(audit.index))), size, cmap)
    return Image.fromarray(np.concatenate([_row(image_tiles(images, shown, size)), _row(below)]))


def _row(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    padded = [np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for tile in tiles]
    return np.concatenate(padded, axis=1)
