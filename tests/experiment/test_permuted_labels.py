"""A network that was trained on permuted labels is taken again only for the same images."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from unhans.experiment.faithfulness.permuted_labels import PermutedLabels


class Images:
    """Two images whose content is told by a word."""

    labels = np.array([0, 1])

    def __init__(self, content):
        self.content = content

    def __len__(self):
        return len(self.labels)

    def fingerprint(self, indices):
        return f"{self.content} {list(indices)}"


@pytest.fixture
def key(monkeypatch):
    def start(self):
        torch.manual_seed(self.seed)
        return nn.Linear(2, 2)

    def of(content="as they are", batch_size=8, flip=True, seed=0, **settings):
        data = SimpleNamespace(train_set=Images(content), batch_size=batch_size, flip=flip)
        return PermutedLabels(None, SimpleNamespace(data=data), None, SimpleNamespace(settings=settings), seed)._key

    monkeypatch.setattr(PermutedLabels, "start", start)
    return of


def test_what_it_was_trained_on_and_how_is_what_it_is_known_by(key):
    others = [{"content": "degraded"}, {"batch_size": 4}, {"flip": False}, {"seed": 1}, {"epochs": 3}]
    keys = [key(), *(key(**each) for each in others)]
    assert key() == keys[0]
    assert len(set(keys)) == len(keys)
