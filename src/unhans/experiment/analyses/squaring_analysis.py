"""The analysis `squaring`: six ways to make images square, and what they do to the output of every class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape
from torch import Tensor

from unhans.artifacts import (
    ORIENTATIONS,
    WAYS,
    Orientation,
    Rgb,
    Squaring,
    border_color,
    check_aspect,
    orientation,
    rgb,
    window,
)
from unhans.class_names import labels_named
from unhans.data import ImageDataset, TrainValUnion, UnreadableImageError, draw_per_class, read_rgb, to_tensor
from unhans.effects import Bench, softmax
from unhans.effects.interventions import GROUPS, NATURAL, Group, SquaredLogits, SquaringEffect, squaring_effect
from unhans.experiment.run import Subject
from unhans.report import Say, progress
from unhans.report.figures import Squares, squaring_figure, squaring_sheet
from unhans.report.loggers import log_once, logger_keys
from unhans.report.tables import squaring_rows, squaring_table
from unhans.report.text import squaring_sentence
from unhans.store import file_stem, write_csv, write_figure
from unhans.terminal import CONSOLE, ConfigurationError, near

FINEST = 2  # times the network's image size: of a larger file pixels are averaged first
PRINTED = 5  # classes with a table of their own in the terminal


def oblong(dataset: ImageDataset | TrainValUnion, index: int, aspect: float | None) -> list[tuple[Orientation, Tensor]]:
    """Return a sample's oblong images (3, H, W) in [0, 1], without a planted artifact, each with its orientation.

    Nothing is returned for a file that cannot be read; `unreadable` then says so.

    Args:
        dataset: of the sample.
        index: of the sample.
        aspect: None gives the file's own pixels, and nothing where it is square; otherwise the image is made square as
            the data set does, and windows of that aspect are cut out of it, one lying and one standing.

    Raises:
        UnreadableImageError: the file cannot be read, and the data set is not to skip it.
    """
    part, own = dataset.place(index) if isinstance(dataset, TrainValUnion) else (dataset, index)
    try:
        picture = part.images.read(own)
    except UnreadableImageError:
        if part.on_corrupt == "raise":
            raise
        part.unreadable[own] = True
        return []
    if aspect is None:
        return _as_it_is(picture, part.image_size)
    square = to_tensor(part.squared(picture))  # as ImageDataset.clean gives it
    return [(each, window(square, aspect, each)) for each in ORIENTATIONS]


def _as_it_is(picture: Image.Image, size: int) -> list[tuple[Orientation, Tensor]]:
    """The picture, unless it is square or so nearly square that no pixel would be padded."""
    if round(size * min(picture.size) / max(picture.size)) == size:
        return []
    image = to_tensor(picture.reduce(max(1, min(picture.size) // (FINEST * size))))
    found = orientation(image)
    return [(found, image)] if found else []


Square = tuple[int, Orientation, Tensor]


@dataclass(frozen=True)
class SquaredImages:
    """The oblong images of a subject, made square for its network.

    Attributes:
        subject: the network and its data.
        aspect: None takes files as they are, a number cuts windows of that aspect from square images.
        color: the chosen one.
    """

    subject: Subject
    aspect: float | None
    color: Rgb

    @cached_property
    def bench(self) -> Bench:
        """The network and the chosen images."""
        return self.subject.bench(self.subject.dataset)

    def measure(self, indices: NDArray[np.int64], say: Say) -> SquaredLogits:
        """Return the logits of these samples in every way; raises ValueError where no image is oblong."""
        entries: list[tuple[int, bool]] = []
        logits: list[NDArray[np.float64]] = []
        size = max(1, self.bench.batch_size // (len(WAYS) * len(ORIENTATIONS)))
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            found = [square for index in part for square in self._squares(int(index))]
            if found:
                entries += [(index, turned == "portrait") for index, turned, _ in found]
                outputs = self.bench.predict(torch.cat([each for *_, each in found]))
                logits.extend(outputs.reshape(len(found), len(WAYS), -1))
            say("squares", len(part))
        if not entries:
            raise ValueError(self._nothing(len(indices)))
        index, portrait = (np.array(values) for values in zip(*entries, strict=True))
        return SquaredLogits(index, self.bench.labels[index], portrait, np.stack(logits))

    def example(self, index: int, turned: Orientation, label: int, caption: str) -> Squares:
        """Return one sample in all ways, explained for a class."""
        squares = next(each for _, found, each in self._squares(index) if found == turned)
        logits = self.bench.predict(squares)
        p = softmax(logits)[:, label]
        return Squares(squares.numpy(), self.bench.explain(squares, label), p, logits[:, label], caption)

    def _squares(self, index: int) -> Iterator[Square]:
        """A sample's squares (6, 3, size, size) in [0, 1], for each of its orientations."""
        subject = self.subject
        ways = [Squaring(way, subject.data.image_size, self.color, subject.seed) for way in WAYS]
        for turned, image in oblong(subject.dataset, index, self.aspect):
            drawn = len(ORIENTATIONS) * index + ORIENTATIONS.index(turned)  # two windows of a sample differ
            yield index, turned, torch.stack([way(image, drawn) for way in ways])

    def _nothing(self, count: int) -> str:
        if self.aspect is not None:
            return f"none of the {count} drawn images could be read; their paths are above."
        return (
            f"none of the {count} drawn images is oblong, so that there is nothing to pad; "
            "analysis.aspect=1.5 cuts oblong windows from square images."
        )


def squaring_files(out: Path, effect: SquaringEffect) -> tuple[Path, Path]:
    """Return the paths of a class's figure and of its sheet."""
    stem = file_stem(effect.label, effect.name)
    return out / "squaring" / f"{stem}.png", out / "squaring" / f"{stem}-images.jpg"


def draw_squarings(
    out: Path, effect: SquaringEffect, squared: SquaredLogits, images: SquaredImages, examples: int
) -> None:
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
    images: SquaredImages, effect: SquaringEffect, squared: SquaredLogits, group: Group, count: int
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


def compare_squarings(
    subject: Subject,
    classes: Sequence[str] | None = None,
    aspect: float | None = None,
    samples: PositiveInt = 100,
    color: str = "skyblue",
    color_from: str | None = None,
    examples: NonNegativeInt = 2,
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
        color_from: a class, or a picture file, whose borders give the chosen colour; see `border_color`.
        examples: images of the class, and of others, on each sheet; 0 draws no sheet.
        logger: gets the numbers and the pictures.
    """
    if aspect is not None:
        check_aspect(aspect)
    drawn = _drawn(subject, classes, samples)
    images = SquaredImages(subject, aspect, chosen_color(subject, color, color_from, samples))
    images.bench.explain(torch.full((1, 3, *subject.size), 0.5), 0)  # a network that cannot be explained is refused now
    subject.begin()
    with subject.closing(logger):
        effects = _effects(subject, drawn, images, examples)
        _tell(effects)
        write_csv(subject.out / "squaring.csv", *squaring_rows(effects))
        if logger:
            _log(logger, effects, subject.out)
    return {"expected": float(sum(bool(effect.expected) for effect in effects)), "rise": effects[0].rise}


def chosen_color(subject: Subject, color: str, color_from: str | None, samples: int) -> Rgb:
    """Return the chosen colour: named, or that of the borders of a picture, or of a class's images.

    Raises:
        ValueError: the colour, or the picture or class, is unknown, or no image can be read.
    """
    if color_from is None:
        return rgb(color)
    found = border_color(_bordered(subject, color_from, samples))
    code = "#" + "".join(f"{round(255 * each):02x}" for each in found)
    CONSOLE.print(escape(f"The chosen colour is {code}, the median along the borders of {color_from}."))
    return found


def _bordered(subject: Subject, color_from: str, samples: int) -> Iterator[Tensor]:
    """A picture (3, H, W), or the images of a class that can be read."""
    if Path(color_from).is_file():
        yield to_tensor(read_rgb(color_from))
        return
    if color_from not in subject.classes.values():
        raise ConfigurationError(
            f"analysis.color_from expects a class or a picture file, got {color_from!r}"
            + near(color_from, list(subject.classes.values()), ".")
        )
    label = next(number for number, name in subject.classes.items() if name == color_from)
    for index in draw_per_class(subject.dataset.labels, samples, subject.seed).get(label, ()):
        try:
            yield subject.dataset.clean(int(index))
        except UnreadableImageError:
            continue


def _drawn(subject: Subject, classes: Sequence[str] | None, samples: int) -> dict[int, NDArray[np.int64]]:
    """For every class that is looked at the indices of its own images and of others, in this order."""
    labels = subject.dataset.labels
    limit = min(samples, subject.samples_per_class or samples)
    own = draw_per_class(labels, limit, subject.seed)
    if classes is not None:
        wanted = labels_named(classes, subject.classes, "analysis.classes")
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
    keys = logger_keys({effect.label: effect.name for effect in effects})
    scalars = {f"squaring/rise/{keys[effect.label]}": effect.rise for effect in effects}
    scalars["squaring/expected"] = float(sum(bool(effect.expected) for effect in effects))
    files = [file for effect in effects[:PRINTED] for file in squaring_files(out, effect) if file.exists()]
    log_once([logger], scalars, {"squaring": files}, {"squaring_table": squaring_rows(effects)})
