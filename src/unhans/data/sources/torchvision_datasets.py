"""Torchvision's data sets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from filelock import FileLock
from torchvision import datasets

from unhans.data.datamodule import ImageData
from unhans.data.image_list import Arrays, Collection, numbered
from unhans.data.sources.image_folder import list_images

Name = Literal["mnist", "fashion_mnist", "cifar10", "imagenette", "imagenet"]

_ARRAYS = {"mnist": datasets.MNIST, "fashion_mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}
_IMAGENETTE_SIZE = "320px"  # the smallest that is not enlarged to 224 pixels
_IMAGENETTE_FOLDER = "imagenette2-320"
_WHAT_TO_PUT = {
    "mnist": "the four *-ubyte.gz files in MNIST/raw",
    "fashion_mnist": "the four *-ubyte.gz files in FashionMNIST/raw",
    "cifar10": "cifar-10-python.tar.gz",
    "imagenette": "imagenette2-320.tgz",
    "imagenet": "ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar",
}


class TorchvisionData(ImageData):
    """MNIST, Fashion-MNIST, CIFAR-10, Imagenette or ImageNet, the official validation or test part as validation.

    root: folder of the files. download: fetch what is missing there; ImageNet cannot be fetched. options: as in
    ImageData. Raises ValueError for another name, FileNotFoundError, which says what to put where, when the files
    are missing and cannot be fetched.
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
        paths = numbered(f"{self.name}/{part}", len(images))
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
