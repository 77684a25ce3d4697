"""Explaining many samples of one class, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution.explainer import Explain

Advance = Callable[[int], None]


class Explained(NamedTuple):
    """Heatmaps (n, H, W) for a label, top-1 classes (n,) and ranks of the label (n,), 0 = first."""

    heatmaps: NDArray[np.float32]
    prediction: NDArray[np.int64]
    rank: NDArray[np.int64]


def explained(
    explain: Explain,
    images: Tensor,
    label: int,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    advance: Advance = lambda samples: None,
) -> Explained:
    """Explain images (n, C, H, W) for one label; advance is called with the number of samples after each batch."""
    maps, logits = [], []
    for batch in images.split(batch_size):
        found = explain(batch.to(device), label)
        maps.append(found.maps.float().cpu())
        logits.append(found.logits.float().cpu())
        advance(len(batch))
    scores = torch.cat(logits)
    rank = (scores > scores[:, [label]]).sum(1)
    return Explained(torch.cat(maps).numpy(), scores.argmax(1).numpy(), rank.numpy())
