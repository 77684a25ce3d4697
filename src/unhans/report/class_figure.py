"""What was found in one class on one page ([000] figs 4 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import colorize, picture, scale
from unhans.report.canvas import (
    ALARM,
    BLUE,
    INK,
    QUIET,
    REST,
    TEXT,
    blank,
    legible,
    page,
    place,
    shorten,
    write,
)
from unhans.report.verdict import class_sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.spray import Suspicion
    from unhans.spray.finding import ClassAudit

COLUMNS = 4
MEMBER_ROWS = 3
OTHER_ROWS = 2
PAIR = 2.2  # an image, a heatmap and the gap after them, in tiles
ROW = 1.3  # a tile and its caption
HEADING = 0.3
SPACE = 0.14  # between the two blocks
NOTES = ("predicted class · rank of the true label (1 = first)", "warm supports the class, cold contradicts it")


@dataclass(frozen=True)
class _Shown:
    audit: ClassAudit
    images: Sequence[Any] | NDArray[np.floating]
    classes: Sequence[str]
    members: NDArray[np.bool_]
    cmap: str
    suspicion: Suspicion | None


def class_figure(
    audit: ClassAudit,
    images: Sequence[Any] | NDArray[np.floating],
    classes: Sequence[str],
    *,
    suspicion: Suspicion | None = None,
    subtitle: str = "",
    cmap: str = "hot-cold",
) -> Figure:
    """Draw spectrum, map and mean heatmaps of a class beside samples of its striking cluster and of the rest.

    Args:
        audit: the class, n samples.
        images: n images in [0, 1], (3, H, W) or (H, W, 3) each; only those that are shown are read.
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
    shown = _Shown(audit, images, classes, members, cmap, suspicion)
    figure = page(12, 7.4)
    figure.text(0.02, 0.975, class_sentence(audit, suspicion), **_title_style(suspicion))
    figure.text(0.02, 0.93, shorten(subtitle, 180), va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    _spectrum(figure.add_axes((0.045, 0.625, 0.285, 0.225)), audit, _title_style(suspicion)["color"])
    _map(figure.add_axes((0.045, 0.25, 0.285, 0.29)), shown)
    _means(figure.add_axes((0.045, 0.005, 0.285, 0.185)), shown)
    _gallery(figure.add_axes((0.365, 0.005, 0.63, 0.87)), shown)
    return figure


def _title_style(suspicion: Suspicion | None) -> dict[str, Any]:
    alarm = suspicion is not None and suspicion.suspicious
    return TEXT | {"fontsize": 14, "weight": "bold", "va": "top", "color": ALARM if alarm else INK}


def _spectrum(axes: Axes, audit: ClassAudit, accent: str) -> None:
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


def _map(axes: Axes, shown: _Shown) -> None:
    spray, members = shown.audit.spray, shown.members
    projected = spray.projection_ is not None
    points = spray.projection_ if projected else spray.embedding_[:, min(1, spray.embedding_.shape[1] - 2) :][:, :2]
    axes.scatter(*points[~members].T, s=9, color=REST, linewidths=0)
    axes.scatter(*points[members].T, s=11, color=ALARM, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    _tidy(axes, "Map of the spectral embedding Φ" if projected else "Two axes of the spectral embedding Φ")
    if shown.audit.cluster is not None:
        note = f"● striking cluster: {members.sum()} of {len(members)}, one of {shown.audit.cluster.k} clusters"
        axes.set_xlabel(note, **(TEXT | {"color": ALARM}))


def _means(axes: Axes, shown: _Shown) -> None:
    blank(axes, 2.9, 1.3)
    maps, members = scale(legible(shown.audit.heatmaps)), shown.members
    groups = [("mean heatmap, cluster", members), ("mean heatmap, rest", ~members)]
    groups = [group for group in groups if group[1].any()] if members.any() else [("mean heatmap", ~members)]
    for column, (caption, chosen) in enumerate(groups):
        place(axes, colorize(scale(maps[chosen].mean(0)), shown.cmap), 1.45 * column, 0.22)
        write(axes, 1.45 * column, 0.14, caption, color=QUIET)


def _gallery(axes: Axes, shown: _Shown) -> None:
    blank(axes, COLUMNS * PAIR - 0.2, 2 * HEADING + SPACE + (MEMBER_ROWS + OTHER_ROWS) * ROW)
    top = 0.0
    for heading, samples, rows in _blocks(shown):
        write(axes, 0, top + 0.16, heading, fontsize=10, weight="bold")
        top += HEADING
        for slot, i in enumerate(_spread(samples, rows * COLUMNS)):
            _pair(axes, PAIR * (slot % COLUMNS), top + ROW * (slot // COLUMNS), shown, int(i))
        top += rows * ROW + SPACE
    for line, note in enumerate(NOTES):
        write(axes, COLUMNS * PAIR - 0.2, 0.16 * line, note, color=QUIET, ha="right", fontsize=7)


def _blocks(shown: _Shown) -> list[tuple[str, NDArray[np.int64], int]]:
    others = np.flatnonzero(~shown.members)
    if not shown.members.any():
        return [("Samples of the class (no cluster stands apart)", others, MEMBER_ROWS + OTHER_ROWS)]
    apart = shown.suspicion is None or shown.suspicion.suspicious
    heading = "Striking cluster" if apart else "Most striking cluster (not set apart)"
    return [
        (f"{heading}, from typical to marginal", _by_centrality(shown), MEMBER_ROWS),
        ("Other samples of the class", others, OTHER_ROWS),
    ]


def _pair(axes: Axes, left: float, top: float, shown: _Shown, i: int) -> None:
    audit, name = shown.audit, shown.classes[shown.audit.prediction[i]]
    right = audit.prediction[i] == audit.label
    caption = f"{shorten(name, 24)} · {audit.rank[i] + 1}"
    write(axes, left, top + 0.2, caption, color=INK if right else ALARM)
    place(axes, picture(shown.images[i]), left, top + 0.26)
    place(axes, colorize(scale(legible(audit.heatmaps[[i]]))[0], shown.cmap), left + 1, top + 0.26)


def _by_centrality(shown: _Shown) -> NDArray[np.int64]:
    chosen = np.flatnonzero(shown.members)
    points = shown.audit.spray.embedding_[chosen]
    return chosen[np.argsort(np.linalg.norm(points - points.mean(0), axis=1), kind="stable")]


def _spread(samples: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    at = np.linspace(0, len(samples) - 1, min(count, len(samples)))
    return samples[at.round().astype(int)]


def _tidy(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", **(TEXT | {"fontsize": 9, "weight": "bold"}))
    axes.tick_params(labelsize=7, color=REST, labelcolor=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(REST)
