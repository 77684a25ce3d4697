"""Where named regions lie on images of a data set: from words, numbers, pictures, artifacts and functions to masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset

from unhans.artifacts import covered_by
from unhans.data import rows_of
from unhans.faithfulness.training import FRAME, border_frame, box_region, quadrants
from unhans.harness.ground_truth import planted_in
from unhans.terminal import near

WORDS = ("border", "quadrants", "planted")
HALF = 127  # of a picture's grey levels: brighter is inside

Regions = Mapping[str, Any] | Sequence[str]


def region_masks(
    dataset: Dataset, regions: Regions, index: NDArray[np.int64], size: tuple[int, int]
) -> dict[str, NDArray[np.bool_]]:
    """Return where regions lie on samples (n, H, W), by name; an image with an empty mask does not have the region.

    Args:
        dataset: that the samples are of.
        regions: words, or by name one of: a word (border: a frame of a tenth of the shorter side; quadrants: four
            regions with names of their own; planted: where the data set planted its artifact, on its carriers), the
            width of a frame, a box (left, top, right, bottom, in parts of the image), a picture file that is white
            inside, a mask (H, W) or a mask for each sample of the data set (N, H, W), an artifact with a layer, or a
            function from numbers of samples (n,) to masks (n, H, W).
        index: of the samples (n,).
        size: height and width of the images.

    Raises:
        ValueError: a region is none of these, does not fit the images, is on none of them, or has another's name.
    """
    given = regions if isinstance(regions, Mapping) else {word: word for word in regions}
    found: dict[str, NDArray[np.bool_]] = {}
    for name, source in given.items():
        with_names = quadrants(size) if _is(source, "quadrants") else {str(name): source}
        for own, one in with_names.items():
            if own in found:
                raise ValueError(f"regions expects names of their own, got {own!r} twice.")
            found[own] = _fitting(own, _masks(dataset, own, one, index, size), len(index), size)
    return found


def _is(source: Any, word: str) -> bool:
    return isinstance(source, str) and source == word


def _masks(dataset: Dataset, name: str, source: Any, index: NDArray[np.int64], size: tuple[int, int]) -> NDArray[Any]:
    """A region on samples: (H, W) where it is the same on all, else (n, H, W)."""
    if _is(source, "planted"):
        return _planted(dataset, index, size)
    if _is(source, "border") or (isinstance(source, int | float) and not isinstance(source, bool)):
        return border_frame(size, FRAME if isinstance(source, str) else float(source))
    if isinstance(source, str | Path):
        return _drawn(name, source, size)
    if hasattr(source, "layer"):
        return covered_by(source, index, size)
    if callable(source):
        return np.asarray(source(rows_of(dataset)[index]))
    if isinstance(source, Sequence) and len(source) == 4 and not isinstance(source[0], Sequence):
        return box_region(size, source)
    masks = np.asarray(source)
    return masks[rows_of(dataset)[index]] if masks.ndim == 3 and len(masks) > rows_of(dataset)[index].max() else masks


def _planted(dataset: Dataset, index: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.bool_]:
    planted = planted_in(dataset)
    if planted is None:
        raise ValueError("the region planted needs a data set that plants an artifact, which this one does not.")
    return covered_by(planted, index, size) & planted.carriers[index][:, None, None]


def _drawn(name: str, source: str | Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """A picture, as large as the images then; of each of its pixels the nearest."""
    try:
        with Image.open(source) as picture:
            grey = picture.convert("L").resize((size[1], size[0]), Image.Resampling.NEAREST)
    except (OSError, UnidentifiedImageError):
        raise ValueError(
            f"the region {name!r} expects a word or a picture file, got {str(source)!r}"
            + near(str(source), WORDS, f"; words are {', '.join(WORDS)}.")
        ) from None
    return np.asarray(grey) > HALF


def _fitting(name: str, masks: NDArray[Any], n: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    if masks.shape not in (size, (n, *size)):
        raise ValueError(f"the region {name!r} expects masks {size} or {(n, *size)}, got the shape {masks.shape}.")
    found = np.broadcast_to(masks > 0, (n, *size))
    if not found.any():
        raise ValueError(f"the region {name!r} covers no pixel of the {n} images.")
    return found
