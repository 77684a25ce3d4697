"""Images in files: anybody's folders, one per class, and torchvision's data sets."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from filelock import FileLock
from torchvision import datasets

from unhans.data.image_list import Arrays, Collection, Files, numbered_names
from unhans.data.sources.datamodule import ImageData

_VALIDATION = ("val", "valid", "validation", "test")
_EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_log = logging.getLogger(__name__)
_ARRAYS = {"mnist": datasets.MNIST, "fashion_mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}
_IMAGENETTE_SIZE = "320px"  # the smallest that is not enlarged to 224 pixels
_IMAGENETTE_FOLDER = "imagenette2-320"
_WHAT_TO_PUT = {
    "mnist": "MNIST/raw/*-ubyte.gz",
    "fashion_mnist": "FashionMNIST/raw/*-ubyte.gz",
    "cifar10": "cifar-10-python.tar.gz",
    "imagenette": "imagenette2-320.tgz",
    "imagenet": "ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_{train,val}.tar",
}


class ImageFolder(ImageData):
    """A folder with train/ and val/ (or valid/, validation/, test/), each with one folder per class.

    Without train/ the folder itself holds the classes, and val_share of each is split off for validation, as from
    a train/ that stands alone.

    Args:
        root: the folder.
        options: as in `ImageData`.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it has no class folders.
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

    Hidden files and folders are left out.

    Raises:
        ValueError: there are no class folders.
    """
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not found:
        raise ValueError(f"data.root needs one folder of images per class, got none in {folder}")
    names = found if classes is None else list(classes)
    for unknown in sorted(set(found) - set(names)):
        _log.warning("the folder %s is left out: there is no such class among the training images", folder / unknown)
    members = [image_files(folder / name) for name in names]
    labels = np.repeat(np.arange(len(names)), [len(files) for files in members])
    return Collection(Files([path for files in members for path in files]), labels, names)


def image_files(folder: Path) -> list[Path]:
    """Return the image files in a folder and below, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and path.is_file()
    )


Name = Literal["mnist", "fashion_mnist", "cifar10", "imagenette", "imagenet"]


class TorchvisionData(ImageData):
    """MNIST, Fashion-MNIST, CIFAR-10, Imagenette or ImageNet, the official validation or test part as validation.

    Args:
        name: which of them.
        root: folder of the files.
        download: fetch what is missing there; ImageNet cannot be fetched.
        options: as in `ImageData`.

    Raises:
        ValueError: for another name.
        FileNotFoundError: the files are missing and cannot be fetched; it says what to put where.
    """

    def __init__(self, name: Name, root: str | Path, download: bool = True, **options: Any) -> None:
        super().__init__(**options)
        if name not in get_args(Name):
            raise ValueError(f"data.name must be one of {', '.join(get_args(Name))}, got {name!r}")
        self.name = name
        self.root = Path(root).expanduser().absolute()
        self.download = download

    def prepare_data(self) -> None:
        """Fetch what is missing, in one process after the other: whoever comes later finds the files."""
        if self.download:
            with self._alone():
                self._open(download=True)

    def _alone(self) -> AbstractContextManager[Any]:
        """Keep other processes from the root, also of other machines; where nothing can be written none fetches."""
        with suppress(OSError):
            self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / ".fetching.lock") if os.access(self.root, os.W_OK) else nullcontext()

    def load(self) -> tuple[Collection, Collection]:
        """Return the training and the validation (or test) part from the files at the root."""
        train, val = self._open(download=False)
        if self.name in _ARRAYS:
            return self._in_memory("train", train), self._in_memory("test", val)
        return self._of_files("train", train), self._of_files("val", val)

    def _open(self, download: bool) -> tuple[Any, Any]:
        """Return torchvision's two data sets."""
        try:
            if self.name == "imagenet":
                return datasets.ImageNet(self.root, "train"), datasets.ImageNet(self.root, "val")
            if self.name == "imagenette":
                kind, options = datasets.Imagenette, {"size": _IMAGENETTE_SIZE, "download": download}
                return kind(self.root, "train", **options), kind(self.root, "val", **options)
            kind = _ARRAYS[self.name]
            return kind(self.root, train=True, download=download), kind(self.root, train=False, download=download)
        except (OSError, RuntimeError) as error:
            raise FileNotFoundError(
                f"{self.name} is not at {self.root} and could not be fetched: "
                f"put {_WHAT_TO_PUT[self.name]} there ({error})"
            ) from error

    def _in_memory(self, part: str, dataset: Any) -> Collection:
        images = np.asarray(dataset.data)
        names = [name.split(" - ")[0] for name in dataset.classes]  # MNIST says "3 - three"
        paths = numbered_names(f"{self.name}/{part}", len(images))
        return Collection(Arrays(images, paths), np.asarray(dataset.targets, dtype=np.int64), names)

    def _of_files(self, part: str, dataset: Any) -> Collection:
        folder = self.root / (_IMAGENETTE_FOLDER if self.name == "imagenette" else "") / part
        listed = list_images(folder, dataset.wnids)
        return Collection(listed.images, listed.labels, _unique_names(dataset.classes, dataset.wnids))


def _unique_names(synonyms: Sequence[Sequence[str]], wnids: Sequence[str]) -> list[str]:
    """Return each class's first name, with its WordNet number where two share it (ImageNet's cranes)."""
    times = Counter(names[0] for names in synonyms)
    return [
        names[0] if times[names[0]] == 1 else f"{names[0]} ({wnid})"
        for names, wnid in zip(synonyms, wnids, strict=True)
    ]
