"""The analysis `squaring`: six ways to make images square, and what they do to the output of every class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import ORIENTATIONS, WAYS, check_aspect, rgb
from unhans.class_names import class_index
from unhans.data import draw_per_class
from unhans.effects.interventions import GROUPS, NATURAL, Group, Squared, SquaringEffect, squaring_effect
from unhans.experiment.analyses.squaring_images import SquaredImages, squared_images
from unhans.experiment.run import CONSOLE, Subject
from unhans.report import progress
from unhans.report.figures import Squares, squaring_figure, squaring_sheet
from unhans.report.loggers import finish, log_once
from unhans.report.tables import SQUARING_COLUMNS, squaring_rows, squaring_table, write_squarings
from unhans.report.text import squaring_sentence
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


PRINTED = 5  # classes with a table of their own in the terminal


def compare_squarings(
    subject: Subject,
    classes: Sequence[str] | None = None,
    aspect: float | None = None,
    samples: int = 100,
    color: str = "skyblue",
    examples: int = 2,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Make oblong images square in six ways and compare the outputs with those for copied borders [003 §6.3.1].

    Prints a table per class with a verdict; writes squaring.csv and, per class, a figure of the effects and a sheet of
    images in all six ways. A planted artifact is left out of the images.

    Args:
        subject: the network, its data and its attribution, for the sheets.
        classes: names of the classes whose output is looked at; None is all.
        aspect: longer side over shorter one of the windows cut from square images; None takes files as they are.
        samples: at most so many images of each class, and as many of other classes.
        color: the chosen colour, by a name or code that PIL knows.
        examples: images of the class, and of others, on each sheet; 0 draws no sheet.
        logger: gets the numbers and the pictures.
    """
    _check(aspect, samples, examples)
    drawn = _drawn(subject, classes, samples)
    images = squared_images(subject, aspect, rgb(color))
    subject.begin()
    failed = 1
    try:
        effects = _effects(subject, drawn, images, examples)
        _tell(effects)
        write_squarings(subject.out / "squaring.csv", effects)
        if logger:
            _log(logger, effects, subject.out)
        failed = 0
    finally:
        subject.data.report_unreadable()
        finish([logger] if logger else [], failed)
    return {"expected": float(sum(bool(effect.expected) for effect in effects)), "rise": effects[0].rise}


def _check(aspect: float | None, samples: int, examples: int) -> None:
    if aspect is not None:
        check_aspect(aspect)
    for name, value, least in (("samples", samples, 1), ("examples", examples, 0)):
        if value < least:
            raise ValueError(f"analysis.{name} expects {least} or more, got {value}.")


def _drawn(subject: Subject, classes: Sequence[str] | None, samples: int) -> dict[int, NDArray[np.int64]]:
    """For every class that is looked at the indices of its own images and of others, in this order."""
    labels = subject.dataset.labels
    limit = min(samples, subject.samples_per_class or samples)
    own = draw_per_class(labels, limit, subject.seed)
    if classes is not None:
        wanted = [class_index(str(name), subject.data.classes, "analysis.classes") for name in classes]
        absent = [subject.classes[label] for label in wanted if label not in own]
        if absent:
            raise ValueError(f"class {absent[0]!r} has no {subject.split} images to make square.")
        own = {label: own[label] for label in wanted}
    order = np.random.default_rng(subject.seed).permutation(len(labels))
    return {label: np.concatenate([mine, order[labels[order] != label][:limit]]) for label, mine in own.items()}


def _effects(
    subject: Subject, drawn: Mapping[int, NDArray[np.int64]], images: SquaredImages, examples: int
) -> list[SquaringEffect]:
    """Measure all that is drawn once, and write the pictures of every class; the largest rise comes first."""
    indices = np.unique(np.concatenate(list(drawn.values())))
    with progress(len(indices)) as say:
        squared = images.measure(indices, say)
    effects = []
    for label, own in drawn.items():
        part = squared.of(own)
        effect = squaring_effect(part, label, subject.classes[label], subject.seed)
        effects.append(effect)
        draw_squarings(subject.out, effect, part, images, examples)
    return sorted(effects, key=lambda effect: -effect.rise)


def _tell(effects: Sequence[SquaringEffect]) -> None:
    """Print tables of the classes that expect copied borders, or of the one on which copying has the largest effect."""
    expecting = [effect for effect in effects if effect.expected]
    for effect in expecting[:PRINTED] or effects[:1]:
        CONSOLE.print(squaring_table(effect))
    for effect in expecting[PRINTED:]:
        CONSOLE.print(escape(squaring_sentence(effect)))
    rest = len(effects) - max(1, len(expecting))
    if rest:
        also = "For the other class" if rest == 1 else f"For each of the other {rest} classes"
        CONSOLE.print(f"{also} there is no sign that copied borders are expected; all numbers are in squaring.csv.")


def _log(logger: Logger, effects: Sequence[SquaringEffect], out: Path) -> None:
    scalars = {f"squaring/rise/{effect.name}": effect.rise for effect in effects}
    scalars["squaring/expected"] = float(sum(bool(effect.expected) for effect in effects))
    files = [file for effect in effects[:PRINTED] for file in squaring_files(out, effect) if file.exists()]
    log_once([logger], scalars, {"squaring": files}, {"squaring_table": (SQUARING_COLUMNS, squaring_rows(effects))})
