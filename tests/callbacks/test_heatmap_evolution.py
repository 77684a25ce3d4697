"""HeatmapEvolution in somebody else's training."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from callbacks_training import NoisyImages, Still, TheirModule, train
from unhans.callbacks import HeatmapEvolution


class Marked(NoisyImages):
    """Knows which images carry the bright corner."""

    def __init__(self):
        super().__init__()
        self.carriers = np.zeros(32, dtype=bool)
        self.carriers[1::4] = True


def test_strips_grow_and_pages_are_written(tmp_path):
    evolution = HeatmapEvolution(network="net", samples_per_class=2, folder=tmp_path / "evolution", on_error="raise")
    train(TheirModule(), [evolution], tmp_path, max_epochs=3)
    assert evolution.epochs == [0, 1, 2]
    assert [len(strip) for strip in evolution._history.values()] == [3] * 4
    assert sorted(path.name for path in (tmp_path / "evolution").iterdir()) == ["0000-0.jpg", "0001-1.jpg"]


def test_samples_may_be_given(tmp_path):
    evolution = HeatmapEvolution(network="net", indices=[5, 2, 9], folder=tmp_path, on_error="raise")
    train(TheirModule(), [evolution], tmp_path, max_epochs=1)
    assert sorted(evolution._history) == [2, 5, 9]


def test_a_known_carrier_is_followed(tmp_path):
    dataset = Marked()
    evolution = HeatmapEvolution(network="net", dataset=dataset, samples_per_class=1, folder=tmp_path, on_error="raise")
    train(TheirModule(), [evolution], tmp_path, max_epochs=1)
    assert dataset.carriers[evolution._indices[1]].all()
    assert not dataset.carriers[evolution._indices[0]].any()


def test_of_many_epochs_ten_moments_are_kept(tmp_path):
    """Also in a checkpoint, which no epoch makes larger from then on."""
    evolution = HeatmapEvolution(network="net", samples_per_class=1, on_error="raise", folder=tmp_path)
    sizes = []
    for epochs in (10, 12):
        train(TheirModule(), [evolution], tmp_path, max_epochs=epochs, data=Still())
        assert {len(strip) for strip in evolution._history.values()} == {10}
        torch.save(evolution.state_dict(), tmp_path / "state.pt")
        sizes.append((tmp_path / "state.pt").stat().st_size)
    assert evolution.epochs[-1] == 11
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def test_samples_whose_file_names_are_no_text_are_drawn(tmp_path):
    class Named(Still):
        paths = (os.fsdecode(b"caf\xe9.png"),) * 32

    evolution = HeatmapEvolution(network="net", samples_per_class=1, on_error="raise", folder=tmp_path)
    train(TheirModule(), [evolution], tmp_path, max_epochs=1, data=Named())
    assert len(list(tmp_path.glob("*.jpg"))) == 2
