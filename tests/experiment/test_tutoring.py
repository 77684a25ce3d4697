"""What is followed while a network is repaired."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from numpy.random import default_rng
from torch import nn

from unhans.artifacts import Border
from unhans.attribution import Relevance
from unhans.data import Arrays, Collection
from unhans.data.image_list import numbered_names
from unhans.data.sources import ImageData
from unhans.experiment.repair import RepairOptions, RepairTask
from unhans.experiment.repair.repair_methods import mask_relevance
from unhans.experiment.run import Subject
from unhans.harness import by_picture, samples_with_artifact

SIDE, LABEL, NAMES = 16, 1, ["ant", "bee", "cat"]


class OneSided(ImageData):
    """Three classes, the second without validation images."""

    def load(self):
        return self._part(np.arange(60) % 3), self._part(np.arange(30) % 2 * 2)

    def _part(self, labels):
        pixels = default_rng(len(labels)).integers(180, size=(len(labels), SIDE, SIDE, 3), dtype=np.uint8)
        return Collection(Arrays(pixels, numbered_names(f"s{len(labels)}", len(labels))), labels, NAMES)


def test_a_class_without_validation_images_is_followed_on_those_of_others():
    data = OneSided(image_size=SIDE, mean=[0.5] * 3, std=[0.25] * 3)
    data.setup()
    assert not (data.val_set.labels == LABEL).any()
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))
    subject = Subject(network, data, "train", None, Relevance(), 16, torch.device("cpu"), seed=0, out=None)
    splits = {"train": data.train_set, "val": data.val_set}
    known = by_picture(Border("bee"), LABEL, "bee", "a border", splits, (SIDE, SIDE))
    watch = mask_relevance(RepairTask(subject, known, RepairOptions(), None, SimpleNamespace(epochs=2)))
    chosen = watch.target, watch.masks, watch.artifact, watch.chosen, watch.samples, watch.seed
    followed = samples_with_artifact(data.val_set, data.val_set.labels, *chosen)
    assert followed.label == LABEL
    assert len(followed.index) == 30
    assert followed.mask[:, 0].all()
