"""A bench whose network is known: logits linear in the pixels of an area."""

from __future__ import annotations

import numpy as np
import torch

from unhans.effects import Bench

SIDE = 16
ROWS, COLUMNS = slice(2, 6), slice(9, 13)
CLASSES = ["ant", "bee", "cat", "dog"]
TARGET = 1


class FixedLayer:
    """A layer that lies at one place."""

    def __init__(self, layer):
        self.rgba = layer

    def layer(self, index, size):
        return self.rgba


def pattern(seed=5):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (3, 4, 4)).astype(np.float32))


def pattern_layer(alpha=1.0):
    layer = torch.zeros(4, SIDE, SIDE)
    layer[:3, ROWS, COLUMNS], layer[3, ROWS, COLUMNS] = pattern(), alpha
    return layer


def images_of(n=200, seed=0, carriers=()):
    images = torch.from_numpy(np.random.default_rng(seed).random((n, 3, SIDE, SIDE), dtype=np.float32))
    layer = pattern_layer()
    images[list(carriers)] = images[list(carriers)] * (1 - layer[3]) + layer[:3] * layer[3]
    return images


def exact_weights(strength=0.5):
    """The target's logit answers to the pattern and to nothing else with the same mean."""
    weights = torch.zeros(len(CLASSES), 3, SIDE, SIDE)
    own = pattern()
    weights[TARGET, :, ROWS, COLUMNS] = strength * (own - own.mean((1, 2), keepdim=True))
    return weights


def bench_of(weights, images=None, labels=None, batch_size=32, seed=0, unreadable=(), bias=0.0):
    images = images_of() if images is None else images
    labels = np.arange(len(images)) % len(CLASSES) if labels is None else labels

    def predict(batch):
        logits = torch.einsum("nchw,kchw->nk", batch.double(), weights.double()).numpy()
        logits[:, TARGET] += bias
        return logits

    def read(indices):
        assert len(indices) <= batch_size, "more than a batch of images at once"
        kept = np.array([index for index in indices if index not in unreadable], dtype=np.int64)
        return images[kept], kept

    def explain(batch, target):
        return (batch * weights[target]).sum(1).numpy().astype(np.float32)

    return Bench(predict, explain, read, labels, CLASSES, batch_size, seed)
