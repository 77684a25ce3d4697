"""A transform of whole images as pictures: an image before and after, and its curves, its field or its spectrum."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unhans.artifacts.transforms import HIGHEST, ChannelMap, Field, Spectrum
from unhans.attribution import RGB, picture
from unhans.report.figures.canvas import INK, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from unhans.artifacts.transforms import Transform
    from unhans.isolation import Isolated


INCHES, DPI = 2.6, 160  # side of a plot
CHANNELS = (("red", "#c0392b"), ("green", "#2e8b57"), ("blue", "#2c5fa8"))


def transform_pictures(isolated: Isolated, images: Any = None) -> list[tuple[str, RGB]]:
    """Return what is shown of an artifact of whole images, each picture under a caption.

    images: (n, 3, H, W) in [0, 1], those that it was isolated from, of which one is shown before and after; without
    them only what the artifact does is drawn.
    """
    transform = isolated.transform
    if transform is None:
        return []
    shown = [] if images is None or not len(images) else _before_and_after(isolated, images)
    return [*shown, *_drawn(transform)]


def _before_and_after(isolated: Isolated, images: Any) -> list[tuple[str, RGB]]:
    """A sample without the artifact and with it or, where all carry it, one that does and without it."""
    without = np.flatnonzero(~isolated.members)
    image = torch.as_tensor(np.asarray(images[int(without[0]) if len(without) else 0])).float()[None]
    other = isolated.transform.apply(image) if len(without) else isolated.transform.undo(image)
    before, after = (image, other) if len(without) else (other, image)
    words = ("a sample without it", "with it") if len(without) else ("a sample, changed back", "as it is")
    return [(words[0], picture(before[0].numpy())), (words[1], picture(after[0].numpy()))]


def _drawn(transform: Transform) -> list[tuple[str, RGB]]:
    if isinstance(transform, ChannelMap):
        return [("its curves: value before, after", _plot(lambda axes: _curves(axes, transform)))]
    if isinstance(transform, Spectrum):
        return [("its spectrum: gain of each frequency", _plot(lambda axes: _gains(axes, transform)))]
    return _field(transform) if isinstance(transform, Field) else []


def _field(field: Field) -> list[tuple[str, RGB]]:
    shown = []
    for name, values, lowest in (("gain", field.gain, 0.0), ("offset", field.offset, None)):
        low, high = float(values.min()), float(values.max())
        if name == "gain" or high > low or high:
            start = min(low, 0.0) if lowest is None else lowest
            pixels = (values - start) / max(high - start, 1e-6)
            shown.append((f"its {name}: {low:.2f} to {high:.2f}, white most", picture(pixels.numpy())))
    return shown


def _curves(axes: Axes, transform: ChannelMap) -> None:
    knots = np.linspace(0, 1, transform.curves.shape[1])
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle=":")
    for (name, colour), curve in zip(CHANNELS, transform.curves.numpy(), strict=True):
        axes.plot(knots, curve, color=colour, linewidth=1.4, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="value before", ylabel="value after")


def _gains(axes: Axes, transform: Spectrum) -> None:
    knots = np.linspace(0, HIGHEST, transform.gain.shape[1])
    axes.axhline(1, color=QUIET, linewidth=0.8, linestyle=":")
    for (name, colour), gain, noise in zip(CHANNELS, transform.gain.numpy(), transform.noise.numpy(), strict=True):
        axes.plot(knots, gain, color=colour, linewidth=1.4, label=name)
        if noise.any():
            axes.plot(knots, noise, color=colour, linewidth=1, linestyle="--", label=f"noise, {name}")
    axes.set(xlim=(0, HIGHEST), xlabel="cycles per pixel", ylabel="gain")
    axes.set_ylim(bottom=0)


def _plot(draw: Callable[[Axes], None]) -> RGB:
    """Draw on square axes; return the pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(INCHES, INCHES), dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw(axes)
    axes.legend(fontsize=7, frameon=False, labelcolor=INK)
    axes.tick_params(labelsize=7)
    axes.xaxis.label.set_size(8)
    axes.yaxis.label.set_size(8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
