"""The analysis `barycenters`: what lies between four images under three metrics ([000] figure 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate

from unhans.class_names import labels_named
from unhans.data import ImageDataset
from unhans.data.sources import ImageData
from unhans.report import progress
from unhans.report.figures import BLUE, QUIET, REST, TEXT, blank, headed
from unhans.spray.metrics import (
    chebyshev_weights,
    cloud,
    coarsen,
    draw_cloud,
    euclidean_barycenter,
    gromov_barycenter,
    wasserstein_barycenter,
)
from unhans.store import write_figure
from unhans.terminal import CONSOLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SIDE = 3.9  # inches of a panel
GAP = 0.35  # inches between panels, and round all of them
HEAD = 0.55  # inches above the panels
FOOT = 0.4  # inches below them
BRIGHTEST = 0.999  # share of the pixels below full ink: one bright pixel shall not make the others pale


class Panel(NamedTuple):
    """The barycenters (rows, columns, H, W) under one metric, what it is called and what it does."""

    name: str
    remark: str
    images: NDArray[np.floating]


def barycenter_figure(panels: Sequence[Panel], title: str, subtitle: str) -> Figure:
    """Draw a grid of barycenters for every metric, dark where there is mass; the given images are framed."""
    width, height = GAP + (SIDE + GAP) * len(panels), HEAD + SIDE + FOOT
    figure, share = headed(width, height, title, subtitle)
    inch = share / height  # of the figure's height
    for number, panel in enumerate(panels):
        left, top = (GAP + (SIDE + GAP) * number) / width, share - HEAD * inch
        figure.text(left, top + 0.3 * inch, panel.name, **(TEXT | {"fontsize": 11, "weight": "bold"}))
        figure.text(left, top + 0.1 * inch, panel.remark, **(TEXT | {"color": QUIET}))
        axes = figure.add_axes((left, FOOT * inch, SIDE / width, SIDE * inch))
        _draw(blank(axes, *panel.images.shape[1::-1]), panel.images)
    note = "In the blue frames: the given images. Between them each weighs the less the larger the Chebyshev distance."
    figure.text(GAP / width, 0.15 * inch, note, **(TEXT | {"color": QUIET}))
    return figure


def _draw(axes: Axes, images: NDArray[np.floating]) -> None:
    rows, columns, height, width = images.shape
    limits = np.maximum(np.quantile(images, BRIGHTEST, axis=(2, 3), keepdims=True), 1e-12)
    sheet = np.clip(images / limits, 0, 1).transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    view = axes.axis()  # imshow changes it
    axes.imshow(sheet, cmap="Greys", vmin=0, vmax=1, extent=(0, columns, rows, 0), interpolation="bilinear")
    axes.axis(view)
    axes.add_patch(Rectangle((0, 0), columns, rows, fill=False, edgecolor=REST, linewidth=0.6, clip_on=False))
    for x in (0, columns - 1):
        for y in (0, rows - 1):
            axes.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=BLUE, linewidth=1.2, clip_on=False))


Array = NDArray[np.float64]
Barycenter = Callable[[Array], Array]

LENGTH, CANVAS = 20, 36  # pixels: the longer side of a shape, and what it is turned and shifted on
MARGIN, SOFT = 3, 0.6  # pixels round a shape, and how far its edges are smoothed: a stroke cut at the frame looks torn
DARK = 0.05  # brightness below which a pixel does not count as part of the shape
POINTS, PARTS = 200, 25  # of the clouds and their coarse ones
GREY = 2 / 255  # by how much the channels of a grey image may differ
FOURTH = 3


def draw_barycenters(
    data: ImageData,
    out: Path,
    seed: int,
    classes: Sequence[str] | None = None,
    samples: Sequence[int] | None = None,
    size: int = 5,
) -> dict[str, float]:
    """Turn and shift four images, and draw their barycenters under three metrics to barycenters.png.

    Args:
        data: grey images, bright on dark: brightness is mass.
        out: the folder for the figure.
        seed: decides images, angles and places.
        classes: four names of classes to draw an image of each from; None is four times the fourth class, or the last.
        samples: or four indices of the training images.
        size: images a side of each panel.
    """
    if size < 2:
        raise ValueError(f"size expects 2 or more, got {size}.")
    dataset = data.train_set.without_augmentation()
    random = np.random.default_rng(seed)
    chosen = _chosen(dataset, data.classes, classes, samples, random)
    images = np.stack([_placed(_grey(dataset, index), random) for index in chosen])
    names = [data.classes[dataset.labels[index]] for index in chosen]
    figure = barycenter_figure(_panels(images, size), "Between four images, under three metrics", _subtitle(names))
    write_figure(out / "barycenters.png", figure, dpi=150)
    CONSOLE.print(f"Barycenters of training images {', '.join(map(str, chosen))} are in {out / 'barycenters.png'}")
    return {"images": float(3 * size**2)}


def _panels(images: Array, size: int) -> list[Panel]:
    shapes = [coarsen(cloud(image, max_points=POINTS), PARTS) for image in images]
    metrics: list[tuple[str, str, Barycenter]] = [
        ("Euclidean", "one image fades into the next", lambda w: euclidean_barycenter(images, w)),
        ("Wasserstein", "mass moves, but does not turn", lambda w: wasserstein_barycenter(images, w)),
        ("Gromov-Wasserstein", "only the shape counts: it may turn, move and be mirrored",
         lambda w: draw_cloud(gromov_barycenter(shapes, w), CANVAS, CANVAS)),
    ]  # fmt: skip
    with progress(len(metrics) * size**2) as say:
        return [Panel(name, remark, _grid(images, size, each, name, say)) for name, remark, each in metrics]


def _grid(images: Array, size: int, barycenter: Barycenter, name: str, say: Callable[[str, int], None]) -> Array:
    """The barycenters (size, size, H, W); the corners are the images themselves."""
    weights = chebyshev_weights(size).reshape(-1, len(images))
    found = []
    for each in weights:
        found.append(images[each.argmax()] if each.max() == 1 else barycenter(each))
        say(name, 1)
    return np.reshape(found, (size, size, *images.shape[1:]))


def _chosen(
    dataset: ImageDataset,
    names: Sequence[str],
    classes: Sequence[str] | None,
    samples: Sequence[int] | None,
    random: np.random.Generator,
) -> list[int]:
    """The indices of four images."""
    if classes is not None and samples is not None:
        raise ValueError("classes and samples exclude each other: give four classes, or four indices.")
    if samples is not None:
        _check_four("samples", samples)
        outside = [index for index in samples if not 0 <= index < len(dataset)]
        if outside:
            raise ValueError(f"samples expects indices from 0 to {len(dataset) - 1}, got {outside[0]}.")
        return list(samples)
    wanted = [names[min(FOURTH, len(names) - 1)]] * 4 if classes is None else classes
    _check_four("classes", wanted)
    labels = labels_named(wanted, dict(enumerate(names)), "classes")
    return [int(random.choice(np.flatnonzero(dataset.labels == label))) for label in labels]


def _check_four(option: str, values: Sequence[object]) -> None:
    if len(values) != 4:
        raise ValueError(f"{option} expects four, one per corner, got {len(values)}.")


def _grey(dataset: ImageDataset, index: int) -> Array:
    """The brightness (H, W) of an image; raises ValueError for a colour image or a dark one."""
    image = dataset.plain(index).numpy()
    if np.ptp(image, axis=0).max() > GREY:
        raise ValueError(f"barycenters need grey images, but {dataset.paths[index]} has colours.")
    if image.max() <= DARK:
        raise ValueError(f"barycenters need images with bright pixels, but {dataset.paths[index]} is dark.")
    return image[0].astype(np.float64)


def _placed(image: Array, random: np.random.Generator) -> Array:
    """The bright part of an image, of one size, turned by any angle and put anywhere on the canvas."""
    soft = gaussian_filter(np.pad(_sized(_cropped(image)), MARGIN), SOFT)
    part = _cropped(np.maximum(rotate(soft, random.uniform(0, 360), order=1), 0))
    top, left = (random.integers(0, CANVAS - side + 1) for side in part.shape)
    canvas = np.zeros((CANVAS, CANVAS))
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return canvas


def _sized(image: Array) -> Array:
    """The image (h, w) with a longer side of 20 pixels."""
    height, width = (max(1, round(side * LENGTH / max(image.shape))) for side in image.shape)
    return np.asarray(Image.fromarray(image.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))


def _cropped(image: Array) -> Array:
    """The least rectangle that holds every bright pixel."""
    rows, columns = (np.flatnonzero((image > DARK).any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _subtitle(names: Sequence[str]) -> str:
    corners = "four times " + repr(names[0]) if len(set(names)) == 1 else ", ".join(map(repr, names))
    return f"In the corners: {corners}, turned and shifted at random."
