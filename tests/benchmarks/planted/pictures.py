"""The data sets: clean pictures for training and held-out ones, as bytes, read once and kept in a file."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TRAINED = 400  # pictures of each class, at most
SUFFIXES = {".jpg", ".jpeg"}
HELD_OUT = 60  # pictures of each class to paste the truth on, at most
IMAGENETTE = {
    "n01440764": "tench",
    "n02102040": "springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]
Named = tuple[Path | io.BytesIO | Image.Image, int]  # a picture, or where it is, and its label


@dataclass(frozen=True)
class Pictures:
    """Clean pictures (N, H, W, 3), their labels (N,), and the same of held-out pictures; the names of the classes."""

    images: Bytes
    labels: Labels
    held_out: Bytes
    held_out_labels: Labels
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A data set: the folder it needs inside the data folder ("" for none), and how it is read at a size."""

    folder: str
    side: int
    read: Callable[[Path, int], Pictures]

    def present(self, data: Path) -> bool:
        """Tell whether the data set is there."""
        return not self.folder or (data / self.folder).exists()


def data_folder() -> Path:
    """Return the folder of real images (UNHANS_TEST_DATA), as the tests do."""
    return Path(os.environ.get("UNHANS_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


def pictures_of(name: str, side: int, cache: Path) -> Pictures:
    """Return a data set at a size, from the cache where it is there."""
    path = cache / f"{name}-{side}.npz"
    if not path.exists():
        found = SOURCES[name].read(data_folder(), side)
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.npz")
        np.savez(partial, **vars(found))
        partial.replace(path)
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    return Pictures(**arrays | {"classes": tuple(map(str, arrays["classes"]))})


def digits(folder: Path, side: int) -> Pictures:
    """Scikit-learn's digits, enlarged bicubically; a fifth is held out."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = [Image.fromarray(np.round(image / 16 * 255).astype(np.uint8)) for image in found.images]
    order = np.random.default_rng(0).permutation(len(images))
    train, held_out = order[len(order) // 5 :], order[: len(order) // 5]
    opened = [[(images[i], int(found.target[i])) for i in part] for part in (train, held_out)]
    return _pictures(*opened, side, map(str, range(10)), Image.Resampling.BICUBIC)


def photographs(folder: Path, side: int) -> Pictures:
    """Ten classes of ImageNet; held out are pictures of its validation set."""
    parts = (("train", TRAINED), ("val", HELD_OUT))
    opened = [_in_folders(folder / "imagenette224" / split, list(IMAGENETTE), most) for split, most in parts]
    return _pictures(*opened, side, IMAGENETTE.values())


def cifar(folder: Path, side: int) -> Pictures:
    """CIFAR-10's test pictures, 400 of each class to train on and 60 others held out."""
    with zipfile.ZipFile(folder / "cifar10" / "test.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        classes = sorted({name.split("/")[1] for name in names})
        parts: tuple[list[Named], list[Named]] = ([], [])
        for label, kind in enumerate(classes):
            own = [name for name in names if name.split("/")[1] == kind]
            for part, chosen in zip(parts, (own[:TRAINED], own[TRAINED : TRAINED + HELD_OUT]), strict=True):
                part += [(io.BytesIO(archive.read(name)), label) for name in chosen]
        return _pictures(*parts, side, classes)


def isic(folder: Path, side: int) -> Pictures:
    """ISIC 2017, benign and melanoma; pictures with a plaster, a natural artifact, are left out."""
    rows = list(csv.DictReader((folder / "isic2017" / "labels.csv").open()))
    files = {path.stem: path for path in (folder / "isic2017" / "images").rglob("*.jpg")}
    plain = [row for row in rows if row["melanoma"] in "01" and row["melanoma"] and row["art_band_aid"] != "1"]
    parts: list[list[Named]] = []
    for train, most in ((True, TRAINED), (False, 2 * HELD_OUT)):
        some = [row for row in plain if (row["split"] == "train") == train and row["image_id"] in files]
        own = [[row["image_id"] for row in some if row["melanoma"] == label][:most] for label in "01"]
        parts.append([(files[name], label) for label, names in enumerate(own) for name in names])
    return _pictures(*parts, side, ("benign", "melanoma"))


SOURCES = {
    "digits": Source("", 32, digits),
    "photographs": Source("imagenette224", 32, photographs),
    "cifar": Source("cifar10", 32, cifar),
    "isic": Source("isic2017", 64, isic),
}


def _in_folders(folder: Path, names: list[str], most: int) -> list[Named]:
    paths = [sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in SUFFIXES) for name in names]
    return [(path, label) for label, own in enumerate(paths) for path in own[:most]]


def _pictures(
    train: list[Named],
    held_out: list[Named],
    side: int,
    classes: Iterable[str],
    how: Image.Resampling = Image.Resampling.BOX,
) -> Pictures:
    images, labels = zip(*(_read(part, side, how) for part in (train, held_out)), strict=True)
    return Pictures(images[0], labels[0], images[1], labels[1], tuple(classes))


def _read(named: list[Named], side: int, how: Image.Resampling) -> tuple[Bytes, Labels]:
    images = [_shrunk(picture, side, how) for picture, _ in named]
    return np.stack(images), np.array([label for _, label in named], dtype=np.int64)


def _shrunk(picture: Path | io.BytesIO | Image.Image, side: int, how: Image.Resampling) -> Bytes:
    if not isinstance(picture, Image.Image):
        with Image.open(picture) as opened:
            return _shrunk(opened.convert("RGB"), side, how)
    return np.asarray(picture.convert("RGB").resize((side, side), how))
