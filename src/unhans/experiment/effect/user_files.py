"""What the user hands in: an artifact as an RGBA picture, a mask that says where one lies, or who carries it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from unhans.artifacts import Patch, Placement
from unhans.data import read_listed
from unhans.experiment.run import ConfigurationError

HALF = 127  # of a mask's grey levels: brighter is inside


def read_artifact(file: str, target: str, placement: Placement, size: float | None, side: int, seed: int) -> Patch:
    """Return the artifact of an RGBA picture file, of its own pixels where size is None.

    side: of the square images that it must fit. Raises ValueError or OSError for a file that is missing, no picture,
    without alpha, fully transparent or larger than the images.
    """
    patch = Patch(target, file, size=size, placement=placement, seed=seed)
    patch.layer(0, side)  # one that does not fit must stop the run now
    return patch


def read_members(file: str) -> frozenset[tuple[str, str]]:
    """Return the samples that a table lists as suspects.csv does, each by path and split: "train" or "val".

    Raises ValueError or OSError for a file that is missing, has no column `path` or lists nothing.
    """
    try:
        listed = read_listed(file, "analysis.members")
    except ValueError as error:
        raise ConfigurationError(f"{error}.") from error
    return frozenset((path, split) for path, splits in listed.splits.items() for split in splits)


def read_mask(file: str, side: int) -> NDArray[np.bool_]:
    """Return where an artifact lies (side, side), from a picture that is white there and black elsewhere.

    Raises ValueError or OSError for a file that is missing, no picture, of another size, all black or all white.
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
