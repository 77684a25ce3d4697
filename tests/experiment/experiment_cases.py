"""A planted border on small images, a network that reads it, and cases that were really measured."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from unhans.artifacts import Border
from unhans.attribution import Relevance
from unhans.data import Arrays, Collection, ImageDataset
from unhans.data.image_list import numbered_names
from unhans.effects import Case, Share, prove
from unhans.effects.relevance_share import reproduce
from unhans.harness import bench_of, planted_in
from unhans.isolation import Failure, FixedEvidence, Isolated
from unhans.isolation.isolated import boxes
from unhans.spray import ClassAudit, Cluster, SpRAy, Suspicion

SIDE, N, LABEL = 16, 90, 1
CLASSES = ["ant", "<b>bee</b>", "cat"]
LISTED = np.arange(LABEL, N, 3)


def dataset():
    """Ninety images of noise in three classes; a white border on half of the second."""
    images = np.random.default_rng(0).integers(180, size=(N, SIDE, SIDE, 3), dtype=np.uint8)
    collection = Collection(Arrays(images, numbered_names("x", N)), np.arange(N) % 3, CLASSES)
    return ImageDataset(collection, SIDE, [0.5] * 3, [0.25] * 3, artifact=Border(LABEL, width=0.1, coverage=0.5))


def network():
    """A linear network whose logit of the second class is the brightness of the rim."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))
    weight = torch.zeros(3, 3, SIDE, SIDE)
    rim = torch.ones(SIDE, SIDE)
    rim[1:-1, 1:-1] = 0
    weight[LABEL] = rim * 0.03
    with torch.no_grad():
        model[1].weight.copy_(weight.flatten(1))
        model[1].bias.copy_(torch.tensor([0.0, -3.0, 0.0]))
    return model.eval()


def bench(images=None):
    return bench_of(network(), images or dataset(), Relevance(), batch_size=16)


def isolated(images):
    """The border as an isolated artifact: one of its samples is missed."""
    planted = planted_in(images)
    members = planted.carriers[LISTED].copy()
    members[np.flatnonzero(members)[0]] = False
    layer = planted.layer(int(LISTED[0]), (SIDE, SIDE))
    masks = members[:, None, None] & (layer[3].numpy() > 0.5)
    return Isolated("fixed", (layer,), members, masks, None, 0.97, boxes(masks), FixedEvidence("rim", 0.2, 1.0))


def suspicion():
    return Suspicion(LABEL, CLASSES[LABEL], len(LISTED), 2.0, 0.01, 2, 1.5, True, 14, 0.4, 1.2)


def heatmaps():
    return np.random.default_rng(1).random((len(LISTED), SIDE, SIDE)).astype(np.float32)


def measured(images=None):
    """The case of the second class, pasted and removed as in a run."""
    images = images or dataset()
    found, own = isolated(images), bench(images)
    others = np.flatnonzero(images.labels != LABEL)
    proof = prove(
        own, found, LABEL, affected=LISTED[found.members],
        unaffected=LISTED[~found.members], samples=30, examples=2, masks=None,
    )  # fmt: skip
    quality = reproduce(own, found, LABEL, heatmaps(), others)
    spread = (Share("train", len(LISTED), 14, 14, 20, 10), Share("val", 9, None, 3, 8, 5))
    return Case(LABEL, CLASSES[LABEL], suspicion(), found, quality, proof, spread)


def troubled():
    """A case of which nothing could be isolated."""
    failure = Failure("too few images", {"least": 2, "members": 1, "others": 7})
    return Case(LABEL, CLASSES[LABEL], suspicion(), failures=(failure,))


def audit_of(label=LABEL, seed=0):
    """What SpRAy found in one class."""
    index = np.arange(label, N, 3)
    maps = np.random.default_rng(seed).random((len(index), SIDE, SIDE)).astype(np.float32)
    maps[:14, :2] += 9
    spray = SpRAy(n_neighbors=4, n_clusters=[2], projection=None).fit(maps)
    spray.projection_ = np.random.default_rng(seed).normal(size=(len(index), 2))
    cluster = Cluster("cut", 2, 1, np.arange(len(index)) < 14, 0.1, 0.8, 0.9, 0.7, 0.6, 0.45)
    rank = np.zeros(len(index), np.int64)
    prediction = np.full(len(index), label)
    return ClassAudit(label, CLASSES[label], index, maps, prediction, rank, spray, None, (cluster,), f"LRP {seed}")
