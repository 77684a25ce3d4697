"""Where images come from: files, or an array in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unhans.data.picture import has_header, read_rgb


class Files:
    """Picture files. paths: one per image."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Image.Image:
        """Return one image as RGB; UnreadableImageError where its file is broken."""
        return read_rgb(self.paths[index])

    def fingerprint(self, index: int) -> str:
        """Return what changes with the file: its path, size and time of change."""
        state = os.stat(self.paths[index])
        return f"{self.paths[index]}|{state.st_size}|{state.st_mtime_ns}"

    def take(self, chosen: NDArray[np.integer]) -> Files:
        """Return the chosen images in that order."""
        return Files([self.paths[index] for index in chosen])

    def readable(self) -> NDArray[np.bool_]:
        """Return which files begin like an image: (n,) bool."""
        return np.array([has_header(path) for path in self.paths], dtype=bool)


class Arrays:
    """Images in memory. images: (n, H, W) or (n, H, W, 3) uint8; paths: a stable name for each."""

    def __init__(self, images: NDArray[np.uint8], paths: Sequence[str]) -> None:
        self.images = images
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Image.Image:
        """Return one image as RGB."""
        return Image.fromarray(self.images[index]).convert("RGB")

    def fingerprint(self, index: int) -> str:
        """Return what changes with the image: its name and a digest of its pixels."""
        return f"{self.paths[index]}|{blake2b(self.images[index].tobytes(), digest_size=16).hexdigest()}"

    def take(self, chosen: NDArray[np.integer]) -> Arrays:
        """Return the chosen images in that order."""
        return Arrays(self.images[chosen], [self.paths[index] for index in chosen])

    def readable(self) -> NDArray[np.bool_]:
        """Return which images can be read: all of them."""
        return np.ones(len(self), dtype=bool)


def numbered(prefix: str, n: int) -> list[str]:
    """Return n stable names, such as digits/00012."""
    return [f"{prefix}/{index:05d}" for index in range(n)]
