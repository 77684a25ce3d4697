"""The copies of a cleaned data set: where the artifact lies, what is done to each image, and writing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2.functional import to_pil_image

from unhans.artifacts import Remove, check_mask, is_whole
from unhans.data import ImageDataset, UnreadableImageError, native_mask, to_tensor
from unhans.experiment.repair import affected_of
from unhans.experiment.run import Subject
from unhans.repair import KnownArtifact
from unhans.store import differences, read_json, replacing
from unhans.terminal import ConfigurationError


@dataclass(frozen=True)
class Copy:
    """A sample of a split, by its index there, and the file that its copy becomes."""

    dataset: ImageDataset
    split: str
    index: int
    file: Path

    @property
    def label(self) -> int:
        """The sample's class."""
        return int(self.dataset.labels[self.index])

    @property
    def path(self) -> str:
        """The original's path, or its stable name."""
        return self.dataset.paths[self.index]

    def picture(self) -> Image.Image:
        """Return the original as RGB, of its own size; one of data with a planted artifact as a network sees it.

        Raises:
            UnreadableImageError: its file cannot be read.
        """
        if self.dataset.artifact is None:
            return self.dataset.images.read(self.index)
        return to_pil_image(self.dataset.plain(self.index))

    def write(self, picture: Image.Image) -> None:
        """Write the copy, whole or not at all."""
        with replacing(self.file) as part:
            picture.save(part, format="PNG")


def copies_of(dataset: ImageDataset, split: str, folder: Path) -> list[Copy]:
    """Return the copies of all samples of a split, in `folder/split/class/name.png`; every file has a name of its own.

    Raises:
        ValueError: two classes would share a folder.
    """
    classes = [folder_name(name) for name in dataset.classes]
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise ValueError(f"classes need folders of their own, but two of them would be called {twice[0]!r}")
    labelled = zip(dataset.paths, dataset.labels, strict=True)
    names = unique([f"{classes[label]}/{Path(path).stem}" for path, label in labelled])
    return [Copy(dataset, split, index, folder / split / f"{name}.png") for index, name in enumerate(names)]


def folder_name(name: str) -> str:
    """Return a class name that can be a folder's: without separators, and not hidden."""
    plain = name.replace("/", "_").replace("\\", "_").replace("\0", "_")
    return f"_{plain[1:]}" if plain.startswith(".") else plain


def unique(names: Sequence[str]) -> list[str]:
    """Return the names; those that occur more than once get their position behind them."""
    times = Counter(name.casefold() for name in names)
    return [name if times[name.casefold()] == 1 else f"{name}-{place:06d}" for place, name in enumerate(names)]


NOT_FOUND = "the artifact was not found in it"

Masks = Callable[[Copy], "NDArray[np.bool_] | str"]  # (S, S) in the image a network sees, or why there is none


def isolated_masks(subject: Subject, effects: Path, labels: Iterable[int], fill: str) -> Masks:
    """Return where the artifacts that analysis=effect isolated are found, class by class.

    Args:
        subject: the network and its data.
        effects: the folder of analysis=effect.
        labels: of the classes.
        fill: how the artifact is painted over.

    Raises:
        ValueError, OSError: none was isolated from any of the classes.
    """
    if not (Path(effects) / "artifacts").is_dir():
        raise ConfigurationError(
            f"analysis.way=inpaint needs the folder of analysis=effect, as out=… or analysis.effects=…, or a picture, "
            f"as analysis.mask=…; {effects} holds no artifacts/."
        )
    found: dict[int, KnownArtifact] = {}
    reasons: dict[int, str] = {}
    for label in sorted(labels):
        try:
            found[label] = affected_of(subject, str(effects), label, fill=fill)
        except ConfigurationError as error:
            reasons[label] = str(error)
    if not found:
        raise ConfigurationError(next(iter(reasons.values())))
    return lambda copy: _mask(copy, found, reasons)


def _mask(copy: Copy, found: Mapping[int, KnownArtifact], reasons: Mapping[int, str]) -> NDArray[np.bool_] | str:
    if copy.label in reasons:
        return reasons[copy.label]
    affected = found[copy.label]
    if is_whole(affected.artifact):
        return "the artifact covers the whole image, so there is nothing to paint over it with"
    return affected.mask(copy.split, copy.index) if affected.carriers[copy.split][copy.index] else NOT_FOUND


Outcome = Literal["inpainted", "left out", "unchanged", "unreadable", "not listed"]

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Cleaned:
    """What became of one image; reason: why one that is listed is unchanged."""

    copy: Copy
    outcome: Outcome
    reason: str = ""


def check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a folder that holds images other than those that these settings make.

    Raises:
        ConfigurationError: a setting differs; it names the first.
    """
    path = folder / SETTINGS
    if path.is_file():
        different = differences(read_json(path) or {}, settings)
        if different:
            raise ConfigurationError(
                f"{folder} holds images that were cleaned otherwise ({different[0]}); give another out=… folder."
            )
    elif folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} holds files that are not of analysis=cleaning; give another out=… folder.")


def write_copies(
    copies: Sequence[Copy], listed: Sequence[bool], masks: Masks | None, fill: str, say: Callable[[str, int], None]
) -> list[Cleaned]:
    """Write the copies that are not there yet; return what became of each.

    Args:
        copies: of all samples.
        listed: which of them are cleaned.
        masks: where the artifact lies in these; None leaves them out.
        fill: how it is painted over.
        say: told what is being done, and of how many samples.
    """
    done = []
    for copy, cleaned in zip(copies, listed, strict=True):
        done.append(_written(copy, cleaned, masks, fill))
        say(f"copying {copy.split} images", 1)
    return done


def _written(copy: Copy, listed: bool, masks: Masks | None, fill: str) -> Cleaned:
    if listed and masks is None:
        return Cleaned(copy, "left out")
    try:
        return _inpainted(copy, masks, fill) if listed and masks is not None else _copied(copy)
    except UnreadableImageError as error:
        return Cleaned(copy, "unreadable", str(error))


def _copied(copy: Copy, outcome: Outcome = "not listed", reason: str = "") -> Cleaned:
    if not copy.file.is_file():
        copy.write(copy.picture())
    return Cleaned(copy, outcome, reason)


def _inpainted(copy: Copy, masks: Masks, fill: str) -> Cleaned:
    mask = masks(copy)
    if isinstance(mask, str):
        return _copied(copy, "unchanged", mask)
    picture = copy.picture()
    try:
        native = native_mask(mask, (picture.height, picture.width), copy.dataset.resize, copy.dataset.crop_from)
        check_mask(native)
    except ValueError as error:
        return _copied(copy, "unchanged", str(error))
    if not copy.file.is_file():
        copy.write(to_pil_image(Remove(native, fill)(to_tensor(picture))))
    return Cleaned(copy, "inpainted")
