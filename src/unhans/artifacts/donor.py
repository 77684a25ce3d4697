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
        draws = np.stack([self._draws(int(index)) for index in indices])
        found: dict[int, Tensor] = {}
        for turn in range(_TRIES):
            missing = [row for row in range(len(indices)) if row not in found]
            if not missing:
                break
            images, read = self.bench.read(np.unique(draws[missing, turn]))
            by_index = dict(zip(map(int, read), images, strict=True))
            found |= {row: by_index[draws[row, turn]] for row in missing if draws[row, turn] in by_index}
        if len(found) < len(indices):
            raise ValueError(f"a donor of pixels must be readable, got {_TRIES} that are not, one after the other")
        return torch.stack([found[row] for row in range(len(indices))])

    def _draws(self, index: int) -> NDArray[np.int64]:
        rng = np.random.default_rng([self.bench.seed, self.tag, index])
        return self.pool[rng.integers(len(self.pool), size=_TRIES)]
