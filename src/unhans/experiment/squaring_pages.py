"""The pictures of the analysis `squaring`: a figure and a sheet of images per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unhans.artifacts.squaring import ORIENTATIONS, WAYS
from unhans.artifacts.squaring_effect import GROUPS, Group, Squared, SquaringEffect
from unhans.artifacts.squaring_verdict import NATURAL
from unhans.experiment.squares import SquaredImages
from unhans.report.squaring_figure import Squares, squaring_figure, squaring_sheet
from unhans.store import file_stem, write_figure


def squaring_files(out: Path, effect: SquaringEffect) -> tuple[Path, Path]:
    """Return the paths of a class's figure and of its sheet."""
    stem = file_stem(effect.label, effect.name)
    return out / "squaring" / f"{stem}.png", out / "squaring" / f"{stem}-images.jpg"


def draw_squarings(out: Path, effect: SquaringEffect, squared: Squared, images: SquaredImages, examples: int) -> None:
    """Write the figure of one class and, if examples are wanted, its sheet."""
    subject = images.subject
    figure, page = squaring_files(out, effect)
    how = (
        "files as they are" if images.aspect is None else f"windows of aspect {images.aspect:g} cut from square images"
    )
    write_figure(figure, squaring_figure(effect, f"{subject.split} images, {how}"), dpi=150)
    chosen = [each for group in GROUPS for each in _examples(images, effect, squared, group, examples)]
    if chosen:
        said = (
            f"{subject.attribution.description}; of its own and of others’ images those on which copying raises it most"
        )
        write_figure(page, squaring_sheet(chosen, effect.name, said), dpi=150)


def _examples(
    images: SquaredImages, effect: SquaringEffect, squared: Squared, group: Group, count: int
) -> list[Squares]:
    """The samples of a group on which copying raises the class's probability most above mirroring and cropping."""
    natural = [WAYS.index(way) for way in NATURAL]
    p = squared.probabilities(effect.label)
    rise = np.where(squared.members(effect.label, group), p[:, 0] - p[:, natural].max(axis=1), -np.inf)
    found: dict[int, Squares] = {}
    for place in np.argsort(-rise, kind="stable")[: int(np.isfinite(rise).sum())].tolist():
        if len(found) == count:
            break
        index = int(squared.index[place])
        if index not in found:
            orientation = ORIENTATIONS[int(squared.portrait[place])]
            name = images.subject.classes[int(squared.labels[place])]
            caption = f"{images.subject.split} image {index} of class {name}, {orientation}"
            found[index] = images.example(index, orientation, effect.label, caption)
    return list(found.values())
