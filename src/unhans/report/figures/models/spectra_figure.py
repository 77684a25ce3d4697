"""Classes by the spectra of their neighbour graphs, of the images and of several models, and their clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from unhans.attribution import RGB, picture
from unhans.report.figures import (
    ALARM,
    AMBER,
    BLUE,
    GREEN,
    INK,
    REST,
    TEXT,
    VIOLET,
    add_key,
    blank,
    chart,
    choose_evenly,
    place,
    tidy,
)
from unhans.report.tables.models import Spectra, lambda_2_places
from unhans.report.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PENS = (BLUE, ALARM, GREEN, AMBER, VIOLET, INK)  # of models, eigenvalues and clusters, in turn
EIGENVALUES = 20  # of a spectrum
SPECTRA, BARRED = 24, 40  # classes of a figure
BARS = 5  # eigenvalues of a class, as in the source
ACROSS = 3  # panels
SMALL = TEXT | {"fontsize": 7}
THUMBNAILS = 150  # of a panel
PIXELS = 64  # of a thumbnail's side, at most
CLUSTERS_READING = (
    "Images lie where t-SNE puts them by their neighbour graph, 1 / (A + ε) [003 § 6.2]; rims: k-means on the first "
    "eigenvectors, as many clusters as there are eigenvalues before the largest gap, 2 to 6. Blue: the largest one; "
    "colours of two panels do not correspond. Images far outside are drawn at the edge."
)


def spectra_figure(spectra: Spectra, title: str, subtitle: str = "") -> Figure:
    """Draw the first eigenvalues of the neighbour graphs of the first 24 classes: of the images, and of each model.

    Args:
        spectra: by class and by what was clustered ("images" or a model), ascending eigenvalues.
        subtitle: data and method.
    """
    spectra, subtitle = _first(spectra, list(spectra), SPECTRA, subtitle)
    names = list(dict.fromkeys(name for each in spectra.values() for name in each))
    columns = min(4, len(spectra))
    rows = -(-len(spectra) // columns)
    note = "Small eigenvalues before a gap: so many groups stand apart [003 § 6.2]. Grey: the raw images, as a control."
    figure, surface = chart(2.4 * columns + 0.6, 1.9 * rows + 0.4, title, subtitle, note)
    panels = surface.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    pens = {name: REST if name == "images" else PENS[i % len(PENS)] for i, name in enumerate(names[1:], 0)}
    pens |= {names[0]: REST} if names else {}
    for axes, (label, each) in zip(panels, spectra.items(), strict=False):
        for name, values in each.items():
            shown = values[:EIGENVALUES]
            axes.plot(range(1, len(shown) + 1), shown, "o-", ms=2.5, lw=1, color=pens[name])
        tidy(axes, shorten(label, 24), grid="y", frame=["left", "bottom"], xlabel="eigenvalue")
    for axes in panels[len(spectra) :]:
        axes.axis("off")
    add_key(surface, {name: Line2D([], [], color=pens[name], marker="o", ms=3, lw=1) for name in names},
            "outside upper left", columns=len(names))  # fmt: skip
    return figure


def _first(spectra: Spectra, order: Sequence[str], most: int, subtitle: str) -> tuple[Spectra, str]:
    """The first classes, and the subtitle, which says so where there are more."""
    more = f"; {most} of {len(order)} classes, all are in eigenvalues.csv" if len(order) > most else ""
    return {label: spectra[label] for label in order[:most]}, subtitle + more


def eigenvalue_figure(spectra: Spectra, title: str, subtitle: str = "") -> Figure:
    """Draw λ₁ to λ₅ of every class as bars: a panel for the images and for each model, the same colours [003 fig. 6.5].

    Classes are in the order of λ₂ of the first model, or of the images where there is none; above its bars the place of
    a class by λ₂ of what the panel shows.

    Args:
        spectra: by class and by what was clustered ("images" or a model), ascending eigenvalues.
        title: says what was compared.
        subtitle: data and method.
    """
    sources = list(dict.fromkeys(name for each in spectra.values() for name in each))
    first = next((name for name in sources if name != "images"), sources[0])
    order = sorted(spectra, key=lambda label: spectra[label][first][1] if first in spectra[label] else np.inf)
    ranks, count = lambda_2_places(spectra), len(order)
    spectra, subtitle = _first(spectra, order, BARRED, subtitle)
    order = order[:BARRED]
    note = f"Classes by λ₂ of {first}; a small λ₂ means that groups stand apart. Numbers: the place by λ₂, of {count}."
    width = max(6.5, 0.9 + 0.34 * len(order))
    figure, surface = chart(width, 1.5 * len(sources) + 1.0, title, subtitle, note)
    panels = surface.subplots(len(sources), 1, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, source in zip(panels, sources, strict=True):
        for column, label in enumerate(order):
            values = spectra[label].get(source, np.empty(0))[:BARS]
            at = column + 0.16 * (np.arange(len(values)) - (BARS - 1) / 2)
            axes.bar(at, values, 0.14, color=PENS[: len(values)])
            if len(values):
                axes.text(column, values.max(), f"{ranks[source][label]}", ha="center", va="bottom", **SMALL)
        tidy(axes, shorten(source, 40), grid="y", frame=["bottom"])
    panels[-1].set_xticks(range(len(order)), [shorten(label, 18) for label in order], rotation=45, ha="right",
                          fontsize=7, rotation_mode="anchor", parse_math=False)  # fmt: skip
    names = [f"λ{digit}" for digit in "₁₂₃₄₅"]
    add_key(surface, {name: Line2D([], [], color=pen, lw=5) for name, pen in zip(names, PENS, strict=False)},
            "outside upper left", columns=BARS)  # fmt: skip
    return figure


class SourceClusters(NamedTuple):
    """The samples of a class as one graph lays them out: that of the images, or of a model's heatmaps.

    Attributes:
        name: "images" or the model.
        points: (n, 2) in the plane.
        labels: (n,) of their clusters.
    """

    name: str
    points: NDArray[np.floating]
    labels: NDArray[np.integer]


def cluster_figure(
    sources: Sequence[SourceClusters], images: NDArray[np.floating], title: str, subtitle: str = ""
) -> Figure:
    """Draw the same samples side by side as each graph lays them out, their rims in the colours of their clusters.

    [003 figs 6.4, 6.6, 6.7].

    Args:
        sources: of the same n samples.
        images: (n, 3, H, W) in [0, 1].
        title, subtitle: what is shown.
    """
    shown = choose_evenly(range(len(images)), THUMBNAILS)
    step = max(1, max(images.shape[2:]) // PIXELS)
    thumbnails = [picture(np.clip(images[i, :, ::step, ::step], 0, 1)) for i in shown]
    drawn = f"{len(shown)} of {len(images)} images" if len(shown) < len(images) else f"{len(images)} images"
    columns = min(ACROSS, len(sources))
    rows = -(-len(sources) // columns)
    figure, surface = chart(max(6.5, 3.7 * columns), 3.9 * rows, title, f"{subtitle}; {drawn}", CLUSTERS_READING)
    panels = surface.subplots(rows, columns, squeeze=False).ravel()
    for axes, one in zip(panels, sources, strict=False):
        _draw_thumbnails(axes, one.points[shown], _by_size(one.labels)[shown], thumbnails)
        clusters = len(np.unique(one.labels))
        tidy(axes, f"{shorten(one.name, 30)}: {clusters} cluster{'s' * (clusters > 1)}")
    for axes in panels[len(sources) :]:
        axes.axis("off")
    return figure


def _draw_thumbnails(
    axes: Axes, points: NDArray[np.floating], labels: NDArray[np.integer], thumbnails: Sequence[RGB]
) -> None:
    """Draw images of side 1 at their points, which are spread over as many sides as there is need of.

    Points far outside lie at the edge, lest all others lie on one another.
    """
    side = max(8.0, 1.7 * np.sqrt(len(points)))
    low, high = np.quantile(points, (0.05, 0.95), axis=0)
    near = np.clip(points, low - (high - low) / 4, high + (high - low) / 4)
    at = (near - near.min(axis=0)) / np.maximum(np.ptp(near, axis=0), 1e-12) * side
    blank(axes, side + 1.2, side + 1.2)
    for (left, top), label, thumbnail in zip(at + 0.1, labels, thumbnails, strict=True):
        place(axes, thumbnail, left, top)
        style = {"fill": False, "edgecolor": PENS[label % len(PENS)], "linewidth": 1.3}
        axes.add_patch(Rectangle((left, top), 1, 1, **style))


def _by_size(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """The clusters counted from the largest."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.argsort(np.argsort(-counts, kind="stable"))[inverse]
