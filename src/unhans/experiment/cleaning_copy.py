"""One image of a cleaned data set: the original, what is done to it, and the file that it becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2.functional import to_pil_image

from unhans.artifacts.removal import Remove, check_mask
from unhans.data import ImageDataset
from unhans.data.native import native_mask
from unhans.data.picture import to_tensor
from unhans.store import replacing


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

        Raises UnreadableImageError where its file cannot be read.
        """
        if self.dataset.artifact is None:
            return self.dataset.images.read(self.index)
        return to_pil_image(self.dataset.plain(self.index))

    def native(self, mask: NDArray[np.bool_], picture: Image.Image) -> NDArray[np.bool_]:
        """Return where a mask (S, S) of the image that a network sees lies in the original.

        Raises ValueError where it lies outside, or leaves nothing to fill from.
        """
        native = native_mask(mask, (picture.height, picture.width), self.dataset.resize, self.dataset.crop_from)
        check_mask(native)
        return native

    def write(self, picture: Image.Image) -> None:
        """Write the copy, whole or not at all."""
        with replacing(self.file) as part:
            picture.save(part, format="PNG")


def painted_over(picture: Image.Image, mask: NDArray[np.bool_], fill: str) -> Image.Image:
    """Return a picture with the masked area filled; pixels outside the widened mask stay as they are."""
    return to_pil_image(Remove(mask, fill)(to_tensor(picture)))


def copies_of(dataset: ImageDataset, split: str, folder: Path) -> list[Copy]:
    """Return the copies of all samples of a split, in `folder/split/class/name.png`; every file has a name of its own.

    Raises ValueError where two classes would share a folder.
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
