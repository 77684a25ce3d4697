"""Images in arrays: one NumPy archive, and scikit-learn's handwritten digits."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from unhans.data.image_list import Arrays, Collection, numbered_names
from unhans.data.sources.datamodule import ImageData

_NAMES = ("x_train", "y_train", "x_test", "y_test")
_BRIGHTEST = 16  # scikit-learn counts the ink among 4 × 4 pixels


class Npz(ImageData):
    """An .npz archive with x_train, y_train, x_test and y_test.

    Images are (n, H, W), (n, H, W, 1) or (n, H, W, 3), uint8 or floating point in [0, 1]. Labels are (n,) integers or
    names; the sorted training labels are the classes.

    Args:
        path: of the archive.
        options: as in `ImageData`.

    Raises:
        FileNotFoundError: there is no archive.
        ValueError: an array is missing or has another shape or range.
    """

    def __init__(self, path: str | Path, **options: Any) -> None:
        super().__init__(**options)
        self.path = Path(path).expanduser().absolute()

    def load(self) -> tuple[Collection, Collection]:
        """Return the training and the test arrays; an image's name holds its number there."""
        arrays = _read(self.path)
        classes, train = np.unique(arrays["y_train"], return_inverse=True)
        unknown = np.setdiff1d(arrays["y_test"], classes)
        if len(unknown):
            raise ValueError(f"each label of y_test must occur in y_train, got {unknown[0]} in {self.path}")
        names = [str(label) for label in classes]
        return (
            self._collection("x_train", arrays, train.astype(np.int64), names),
            self._collection("x_test", arrays, np.searchsorted(classes, arrays["y_test"]), names),
        )

    def _collection(self, part: str, arrays: dict[str, NDArray], labels: NDArray, names: list[str]) -> Collection:
        images = arrays[part]
        return Collection(Arrays(images, numbered_names(f"{self.path}/{part}", len(images))), labels, names)


def _read(path: Path) -> dict[str, NDArray]:
    if not path.is_file():
        raise FileNotFoundError(f"data.path must be an .npz archive, got no file at {path}")
    try:
        with np.load(path) as archive:
            missing = [name for name in _NAMES if name not in archive]
            arrays = {name: archive[name] for name in _NAMES if not missing}
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"data.path must be an .npz archive of plain arrays, got {path}: {error}") from error
    if missing:
        raise ValueError(f"an archive needs {', '.join(_NAMES)}, got {path} without {', '.join(missing)}")
    for part in ("train", "test"):
        images, labels = _images(f"x_{part}", arrays), _labels(f"y_{part}", arrays)
        if len(images) != len(labels):
            raise ValueError(f"x_{part} and y_{part} must be of equal length, got {len(images)} and {len(labels)}")
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    return arrays


def _images(name: str, arrays: dict[str, NDArray]) -> NDArray[np.uint8]:
    images = arrays[name]
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise ValueError(f"{name} must have shape (n, H, W) or (n, H, W, 3), got {arrays[name].shape}")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f" or not ((images >= 0) & (images <= 1)).all():
        raise ValueError(f"{name} must be uint8, or floating point in [0, 1], got {images.dtype} outside it")
    return np.round(images * 255).astype(np.uint8)


def _labels(name: str, arrays: dict[str, NDArray]) -> NDArray:
    labels = arrays[name]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuU":
        raise ValueError(f"{name} must be (n,) integers or names, got {labels.dtype} of shape {arrays[name].shape}")
    return labels


class Digits(ImageData):
    """1,797 real handwritten digits of 8 × 8 pixels, enlarged bicubically; arguments as of `ImageData`."""

    def __init__(
        self,
        image_size: int = 64,
        batch_size: int = 64,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
        **options: Any,
    ) -> None:
        super().__init__(image_size=image_size, batch_size=batch_size, mean=mean, std=std, **options)

    def load(self) -> tuple[Collection, None]:
        """Return all digits; their number in scikit-learn's order is their name."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.round(digits.images / _BRIGHTEST * 255).astype(np.uint8)
        classes = [str(digit) for digit in digits.target_names]
        return Collection(
            Arrays(images, numbered_names("digits", len(images))), digits.target.astype(np.int64), classes
        ), None


class ColouredDigits(Digits):
    """The digits, where a share of one class is written in a colour and everything else in white: a colour artifact.

    Args:
        target: the digit that is coloured.
        share: in [0, 1], of its images, in training and validation alike.
        colour: any name or code that PIL knows.
        options: as of `Digits`.

    Raises:
        ValueError: the share is outside [0, 1], the colour is unknown, or there is no such digit.
    """

    def __init__(self, target: int | str = 3, share: float = 0.5, colour: str = "red", **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= share <= 1:
            raise ValueError(f"data.share must lie in [0, 1], got {share}")
        if str(target) not in map(str, range(10)):
            raise ValueError(f"data.target must be a digit, got {target!r}")
        self.target, self.share, self.colour = int(target), share, ImageColor.getrgb(colour)[:3]

    def load(self) -> tuple[Collection, None]:
        """Return all digits; which of the target are coloured follows from the seed."""
        digits, _ = super().load()
        ink = np.stack([np.asarray(digits.images.read(index)) for index in range(len(digits.labels))])
        own = np.flatnonzero(digits.labels == self.target)
        chosen = np.random.default_rng([self.seed, 31]).permutation(own)[: round(self.share * len(own))]
        ink[chosen] = np.round(ink[chosen] * (np.array(self.colour) / 255)).astype(np.uint8)
        names = numbered_names("digits", len(ink))
        return Collection(Arrays(ink, names), digits.labels, digits.classes), None
