"""Images that lend their pixels to others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.bench import Bench

_TRIES = 16  # donors drawn for a sample until one can be read


@dataclass(frozen=True)
class Donors:
    """For every sample another one, drawn from a pool by the bench's seed, the tag and the sample's index alone."""

    bench: Bench
    pool: NDArray[np.int64]
    tag: int

    def images(self, indices: NDArray[np.int64]) -> Tensor:
        """Return the donors' images (n, 3, H, W); ValueError where none of those drawn can be read."""
        return self.drawn(indices)[0]

    def drawn(self, indices: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        """Return the donors' images (n, 3, H, W) and which samples they are (n,)."""
        draws = np.stack([self._draws(int(index)) for index in indices])
        found: dict[int, tuple[Tensor, int]] = {}
        for turn in range(_TRIES):
            missing = [row for row in range(len(indices)) if row not in found]
            if not missing:
                break
            images, read = self.bench.read(np.unique(draws[missing, turn]))
            by_index = dict(zip(map(int, read), images, strict=True))
            turns = {row: int(draws[row, turn]) for row in missing}
            found |= {row: (by_index[donor], donor) for row, donor in turns.items() if donor in by_index}
        if len(found) < len(indices):
            raise ValueError(f"a donor of pixels must be readable, got {_TRIES} that are not, one after the other")
        rows = [found[row] for row in range(len(indices))]
        return torch.stack([image for image, _ in rows]), np.array([donor for _, donor in rows], dtype=np.int64)

    def _draws(self, index: int) -> NDArray[np.int64]:
        rng = np.random.default_rng([self.bench.seed, self.tag, index])
        return self.pool[rng.integers(len(self.pool), size=_TRIES)]
