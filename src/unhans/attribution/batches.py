"""Explaining many samples of one class, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution.explainer import Explain, Heatmaps

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
    maps, scores, _ = explain_all(explain, images, torch.full((len(images),), label), batch_size, device, advance)
    rank = (scores > scores[:, [label]]).sum(1)
    return Explained(maps.numpy(), scores.argmax(1).numpy(), rank.numpy())


def explain_all(
    explain: Explain,
    images: Tensor,
    targets: Tensor,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    advance: Advance = lambda samples: None,
) -> Heatmaps:
    """Explain images (n, C, H, W) for their targets (n,) batch by batch; the results are float32 and on the CPU."""
    maps, logits, latent = [], [], []
    for batch, classes in zip(images.split(batch_size), targets.split(batch_size), strict=True):
        found = explain(batch.to(device), classes.to(device))
        maps.append(found.maps.float().cpu())
        logits.append(found.logits.float().cpu())
        latent.append({layer: pooled.float().cpu() for layer, pooled in found.latent.items()})
        advance(len(batch))
    layers = {layer: torch.cat([each[layer] for each in latent]) for layer in latent[0]}
    return Heatmaps(torch.cat(maps), torch.cat(logits), layers)
