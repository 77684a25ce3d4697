"""Audits in a rehearsal: a few samples of one class, and no files."""

from __future__ import annotations

import os
import tempfile

import pytest
import torch
from callbacks_training import (
    Still,
    TheirModule,
    isolate_corners,
    small_audits,
    small_monitor,
    small_spray,
    train,
)
from unhans.callbacks import HeatmapEvolution, MaskRelevance, UnHans

from unhans.effects import class_examination as examine_class


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where temporary files go, which is empty afterwards."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert os.listdir(folder) == []


def test_a_rehearsal_does_all_steps_on_a_few_samples_and_leaves_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(examine_class, "isolate", isolate_corners)
    watched = {"network": "net", "dataset": "train", "folder": tmp_path / "relevance", "on_error": "raise"}
    relevance = MaskRelevance(
        1, masks=lambda i: torch.ones(len(i), 16, 16).bool().numpy(), indices=[1, 3, 5], **watched
    )
    audits = [*small_audits(tmp_path, verify=True), small_monitor(tmp_path), relevance]
    evolution, audit, monitor, _ = audits
    train(TheirModule(), audits, tmp_path, fast_dev_run=True, data=Still())
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
    assert {label: len(index) for label, index in audit._indices.items()} == {0: 12}
    assert {label: len(index) for label, index in evolution._indices.items()} == {0: 1}
    assert [len(index) for index in monitor._indices.values()] == [2]
    assert len(relevance.index) == 2
    assert [entry.name for entry in audit.ranking] == ["0"]
    assert len(audit.cases) == len(monitor.epochs) == 1
    assert audit.failures == 0

    train(TheirModule(), audits, tmp_path, max_epochs=1, data=Still())  # the rehearsal leaves no trace
    assert {label: len(index) for label, index in audit._indices.items()} == {0: 16, 1: 16}
    assert audit.plan.samples == 200
    assert evolution.epochs == monitor.epochs == [0]
    assert [point.n for point in relevance.points] == [3, 3]
    assert len(list(tmp_path.glob("audit/epoch_000/*.h5"))) == 2
    assert "have other labels" not in caplog.text


class Broken(HeatmapEvolution):
    def audit(self, trainer, network):
        super().audit(trainer, network)
        raise OSError("the disk is gone")


def test_nothing_is_left_where_it_fails(tmp_path):
    with pytest.raises(OSError, match="the disk is gone"):
        train(TheirModule(), [Broken(network="net", on_error="raise")], tmp_path, fast_dev_run=True, data=Still())
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


def test_the_closed_loop_rehearses_too(tmp_path):
    loop = UnHans(network="net", spray=small_spray(), control=False, verify_samples=6, on_error="raise")
    train(TheirModule(), [loop], tmp_path, fast_dev_run=True, data=Still())
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
    assert loop.failures == 0
