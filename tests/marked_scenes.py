"""Small synthetic photographs: smooth noise in colour, with a mark on some of them."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter


def photographs(n=60, side=32, seed=0):
    """Smooth noise in [0, 1] with some texture: (n, 3, side, side)."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(n, 3, side, side)), (0, 0, 4, 4), mode="wrap") * 10
    return torch.from_numpy((0.5 + 0.2 * smooth + 0.03 * rng.normal(size=smooth.shape)).clip(0, 1)).float()


def mark(side=32, alpha=1.0, color=(0.9, 0.8, 0.1)):
    """A rectangle's layer, (4, side, side), and its mask."""
    layer = torch.zeros(4, side, side)
    top, left = side // 2, side // 8
    box = slice(top, top + side // 4), slice(left, left + side // 2)
    layer[(slice(3), *box)] = torch.tensor(color)[:, None, None]
    layer[(3, *box)] = alpha
    return layer, (layer[3] > 0).numpy()


def planted(carriers, layer, images):
    images = images.clone()
    images[carriers] = torch.lerp(images[carriers], layer[:3].expand_as(images[carriers]), layer[3])
    return (images * 255).round() / 255


def relevance(carriers, mask, seed=0):
    """Heatmaps with noise everywhere and three times as much in the mask of carriers."""
    maps = np.random.default_rng(seed).random((len(carriers), *mask.shape))
    maps[carriers] += 2 * mask
    return maps.astype(np.float32)


def first(n, k):
    return np.arange(n) < k


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()
