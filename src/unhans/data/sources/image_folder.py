"""Folders of image files, one per class."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unhans.data.datamodule import ImageData
from unhans.data.image_list import Collection, Files

_VALIDATION = ("val", "valid", "validation", "test")
_EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_log = logging.getLogger(__name__)


class ImageFolder(ImageData):
    """A folder with train/ and val/ (or valid/, validation/, test/), each with one folder per class.

    Without train/ the folder itself holds the classes, and val_share of each is split off for validation, as from
    a train/ that stands alone. options: as in ImageData. Raises FileNotFoundError for a missing root, ValueError
    where there are no class folders.
    """

    def __init__(self, root: str | Path, **options: Any) -> None:
        super().__init__(**options)
        self.root = Path(str(root)).expanduser().absolute()

    def load(self) -> tuple[Collection, Collection | None]:
        """Return the images in sorted order of class and path."""
        if not self.root.is_dir():
            raise FileNotFoundError(f"data.root must be a folder with class folders, got no folder at {self.root}")
        if not (self.root / "train").is_dir():
            return list_images(self.root), None
        train = list_images(self.root / "train")
        val = next((self.root / name for name in _VALIDATION if (self.root / name).is_dir()), None)
        return train, None if val is None else list_images(val, train.classes)


def list_images(folder: Path, classes: Sequence[str] | None = None) -> Collection:
    """Return the images of a folder's class folders; with classes given, of these alone.

    Hidden files and folders are left out. Raises ValueError where there are no class folders.
    """
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not found:
        raise ValueError(f"data.root needs one folder of images per class, got none in {folder}")
    names = found if classes is None else list(classes)
    for unknown in sorted(set(found) - set(names)):
        _log.warning("the folder %s is left out: there is no such class among the training images", folder / unknown)
    members = [_image_files(folder / name) for name in names]
    labels = np.repeat(np.arange(len(names)), [len(files) for files in members])
    return Collection(Files([path for files in members for path in files]), labels, names)


def _image_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and path.is_file()
    )
