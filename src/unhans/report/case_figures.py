"""Every figure of a case, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.report.effect_figure import effect_figure
from unhans.report.layer_figure import layer_figure
from unhans.report.proof_figure import proof_figure
from unhans.store import file_stem, replacing, write_figure

if TYPE_CHECKING:
    from unhans.artifacts.case import Case

FIGURES = ("layer", "effect", "examples")
DPI = 150  # heatmaps and letters stay sharp when they are enlarged


def write_case(
    folder: Path,
    case: Case,
    classes: Sequence[str],
    images: Any = None,
    heatmaps: NDArray[np.floating] | None = None,
    *,
    cmap: str = "hot-cold",
) -> dict[str, Path]:
    """Write the pictures of a case into a folder; return what was written, by name.

    "layer", "effect" and "examples" are figures, those that there is something to draw for; "layer-1" and so on are the
    RGBA layers themselves, to be edited and planted with `Patch`. images (n, 3, H, W) and heatmaps (n, H, W): those
    that the artifact was isolated from. Raises OSError where a file cannot be written.
    """
    stem = file_stem(case.label, case.name)
    drawn = {
        "layer": layer_figure(case, images, heatmaps, cmap=cmap),
        "effect": effect_figure(case.proof) if case.proof else None,
        "examples": proof_figure(case.proof, classes, cmap=cmap) if case.proof else None,
    }
    files = {}
    for name, figure in drawn.items():
        if figure is not None:
            files[name] = folder / f"{stem}-{name}.{'png' if name == 'effect' else 'jpg'}"
            write_figure(files[name], figure, DPI)
    return files | _layers(folder, stem, case)


def redraw_effect(path: Path, case: Case) -> None:
    """Draw the effect of a case again, whose verdict has changed; raises OSError where it cannot be written."""
    if case.proof is not None:
        write_figure(path, effect_figure(case.proof), DPI)


def _layers(folder: Path, stem: str, case: Case) -> dict[str, Path]:
    pictures = {} if case.isolated is None else case.isolated.pictures()
    files = {f"layer-{number}": folder / f"{stem}-{name}-rgba.png" for number, name in enumerate(pictures, 1)}
    for path, picture in zip(files.values(), pictures.values(), strict=True):
        with replacing(path) as part:
            picture.save(part, format="png")
    return files
