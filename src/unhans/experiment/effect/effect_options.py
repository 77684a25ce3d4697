"""What `analysis=effect` is asked: its options, the files that the user hands in, and what does not go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from unhans.artifacts import HandPlaced, Patch, Placement, check_fill
from unhans.class_names import class_index
from unhans.data import read_cleaning_list
from unhans.experiment.effect.places_table import read_places
from unhans.experiment.run import Subject
from unhans.isolation import SearchKind
from unhans.terminal import ConfigurationError

LARGEST = 8  # sides of the image that a picture may have before it is cut
HALF = 127  # of a mask's grey levels: brighter is inside


def check_options(
    subject: Subject,
    classes: Sequence[str] | None,
    kind: SearchKind,
    fills: Sequence[str],
    files: Mapping[str, str | None],
) -> None:
    """Refuse what does not go together, and classes that do not exist.

    Args:
        subject: the network and its data.
        classes: names of the classes to look at.
        kind: of artifact to look for.
        fills: how it is removed.
        files: by option the files that the user may hand in: artifact, places, mask, members.
    """
    layer = getattr(subject.attribution, "layer", None)
    if layer is not None:
        raise ConfigurationError(f"analysis=effect needs heatmaps of the input; attribution.layer={layer!r}.")
    given = [name for name, file in files.items() if file is not None and name != "places"]
    if files.get("places") is not None:
        _check_places(subject, given)
    if "artifact" in given and len(given) > 1:
        raise ConfigurationError(f"analysis.artifact is tested as it is; leave analysis.{given[1]} out.")
    for fill in fills:
        check_fill(fill)
    if "truth" in fills and subject.data.artifact is None:
        raise ConfigurationError("the fill 'truth' needs a planted artifact, and the data have none (artifact=none).")
    if "mask" in given and kind in ("free", "global"):
        raise ConfigurationError(f"analysis.mask tells where a fixed artifact lies; leave analysis.kind={kind} out.")
    subject.subsets(classes)
    for name in given:
        if len(classes or ()) != 1:
            raise ConfigurationError(
                f"analysis.{name} belongs to one class, named as analysis.classes=[…]; got {len(classes or ())} names."
            )


def _check_places(subject: Subject, given: Sequence[str]) -> None:
    if "artifact" not in given:
        raise ConfigurationError(
            "analysis.places tells where a picture lies; give analysis.artifact=layer.png as well."
        )
    if subject.data.several:
        raise ConfigurationError("analysis.places needs images of one class each, and these may show several.")


def read_artifact(file: str, target: str, placement: Placement, size: float | None, side: int, seed: int) -> Patch:
    """Return the artifact of an RGBA picture file.

    Args:
        file: its path.
        target: the name of its class.
        placement: where it goes.
        size: its share of the image; None keeps its own pixels.
        side: of the square images that it must fit.
        seed: of its random places.

    Raises:
        ValueError, OSError: the file is missing, no picture, without alpha, fully transparent or larger than the
            images.
    """
    patch = Patch(target, file, size=size, placement=placement, seed=seed)
    patch.layer(0, side)  # one that does not fit must stop the run now
    return patch


def read_hand_placed(
    file: str, table: str, subject: Subject, target: str, placement: Placement, size: float | None
) -> tuple[HandPlaced, list[str]]:
    """Return a picture at the places of a table, and what has to be said of these.

    Args:
        file, size: as of `read_artifact`.
        table: see `read_places`.
        subject: the data; its indices are those of training and validation images together.
        target: the name of the artifact's class.
        placement: must be as it is by default.

    Raises:
        ValueError, OSError: the picture or the table cannot be used, or the picture is not seen somewhere.
    """
    if placement != "top_left":
        raise ConfigurationError(
            f"analysis.places tells where the picture lies; leave analysis.placement={placement} out."
        )
    places, ignored = read_places(table, subject, class_index(target, subject.data.classes, "classes"))
    patch = HandPlaced(target, file, places, size=size, seed=subject.seed)
    own, side = max(patch.draw(*subject.size).size), subject.data.image_size
    if (most := max(place.scale for place in places.values()) * own) > LARGEST * side:
        raise ConfigurationError(
            f"analysis.places expects pictures of at most {LARGEST} times the image, {LARGEST * side} pixels, got a "
            f"scale that makes {most:.0f} of its {own}."
        )
    unseen = [index for index in places if not bool((patch.layer(index, subject.size)[3] > 0).any())]
    if unseen:
        raise ConfigurationError(
            f"analysis.places expects the picture inside the image, but nothing of it is seen on {len(unseen)} images, "
            f"such as {subject.both.paths[unseen[0]]}."
        )
    cut = sum(patch.reaches_beyond(index, subject.size) for index in places)
    told = [f"Places that reach beyond the image, where the picture is cut: {cut} of {len(places)}."] * bool(cut)
    told += [f"Columns of {table} that are not used: {', '.join(ignored)}."] * bool(ignored)
    return patch, told


def read_members(subject: Subject, file: str, classes: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Return the samples that a table lists as suspects.csv does, each by path and split: "train" or "val".

    Raises:
        OSError, ConfigurationError: the file is missing, has no column `path` or lists none of the one class
            that is named.
    """
    try:
        listed = read_cleaning_list(file, "analysis.members")
    except ValueError as error:
        raise ConfigurationError(f"{error}.") from error
    ((label, indices),) = subject.subsets(classes).items()
    if set(listed.splits).isdisjoint(subject.dataset.paths[i] for i in indices):
        raise ConfigurationError(
            f"analysis.members expects paths of class {subject.data.classes[label]!r} in split={subject.split}, got "
            f"{len(listed.splits)} others."
        )
    return frozenset((path, split) for path, splits in listed.splits.items() for split in splits)


def read_mask(file: str, side: int) -> NDArray[np.bool_]:
    """Return where an artifact lies (side, side), from a picture that is white there and black elsewhere.

    Raises:
        FileNotFoundError, ConfigurationError: the file is missing, no picture, of another size, all black or all white.
    """
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"analysis.mask expects a picture file, got no file at {path}")
    try:
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("RGB").convert("L"))
    except (UnidentifiedImageError, OSError) as error:
        raise ConfigurationError(f"analysis.mask expects a picture file, got {path}: {error}") from error
    if grey.shape != (side, side):
        raise ConfigurationError(
            f"the mask {path} must be as large as the images, {side} × {side} pixels, got {grey.shape[1]} × "
            f"{grey.shape[0]}."
        )
    mask = grey > HALF
    if mask.all() or not mask.any():
        what = "the whole image" if mask.all() else "nothing"
        raise ConfigurationError(
            f"the mask {path} must be white where the artifact lies and black elsewhere, but it covers {what}."
        )
    return mask
