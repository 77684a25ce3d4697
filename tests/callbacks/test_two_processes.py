"""Audits of two processes find what one process finds, keep within no time-out, and end no training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import shared_training
import torch
from callbacks_training import isolate_corners
from shared_training import EPOCHS, Weights, compared, run

from unhans.effects import class_examination as examine_class
from unhans.harness import OthersFailedError, Processes, most_seconds, processes_of
from unhans.store.virelay import load_audit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes leave."""
    folder = tmp_path_factory.mktemp("two")
    script = Path(shared_training.__file__)
    done = subprocess.run([sys.executable, "-B", script, folder], cwd=script.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_two_processes_find_what_one_finds(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(examine_class, "isolate", isolate_corners)
    alone = compared(tmp_path)
    run(tmp_path, [Weights(folder, load=True), alone], enable_progress_bar=False, enable_checkpointing=False)
    for epoch in range(EPOCHS):
        ours, theirs = (each / "audit" / f"epoch_{epoch:03d}" for each in (tmp_path, folder))
        assert sorted(path.name for path in ours.iterdir()) == sorted(path.name for path in theirs.iterdir())
        for name in ("ranking.csv", "suspects.csv", "effects.csv", "cases.json"):
            assert (ours / name).read_text() == (theirs / name).read_text()
        for path in ours.glob("*.h5"):
            one, two = load_audit(path), load_audit(theirs / path.name)
            assert np.array_equal(one.heatmaps, two.heatmaps)
            assert np.array_equal(one.prediction, two.prediction)


def test_weights_are_bit_identical_with_and_without_audits(folder):
    plain, audited = (torch.load(folder / f"{name}.pt", weights_only=True) for name in ("plain", "audited"))
    assert plain.keys() == audited.keys()
    assert all(torch.equal(plain[key], audited[key]) for key in plain)


def test_all_processes_know_the_same_afterwards(folder):
    first, second = (json.loads((folder / f"process_{rank}.json").read_text()) for rank in range(2))
    assert first == second
    assert {"audit/1/score", "audit/1/delta_p", "effect/border/delta_p", "relevance/share"} <= set(first["metrics"])
    assert first["looks"] == EPOCHS
    assert len(list((folder / "best").iterdir())) == 1


def test_a_failure_in_one_process_is_counted_in_all_and_ends_nothing(folder):
    found = json.loads((folder / "process_0.json").read_text())
    assert found["failures"] == [0, 0, 0, 0, 2]
    assert (folder / "failing" / "epoch_000" / "ranking.csv").exists()  # one class failed
    assert not (folder / "failing" / "epoch_001" / "ranking.csv").exists()  # the audit failed


class Simulated(Processes):
    """Two processes whose meetings with the other one are given."""

    def __new__(cls, others):
        processes = object.__new__(cls)
        object.__setattr__(processes, "others", iter(others))
        return processes

    def __init__(self, others):
        super().__init__(0, 2, "group")

    def _meet(self, message):
        return [message, next(self.others)]


def test_processes_give_up_together():
    assert Simulated([(False, 2)]).all(1) == [1, 2]
    with pytest.raises(OthersFailedError, match="another process has given up this audit"):
        Simulated([(True, 2)]).all(1)
    assert Simulated([(False, "at work"), (False, "at work"), (True, 2)]).close(1) == [1, 2]
    assert Processes().all(1) == Processes().close(1) == [1]


def test_an_audit_takes_half_of_the_time_out_at_most(monkeypatch):
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False)
    assert most_seconds(trainer) == 900
    trainer.strategy._timeout = None
    assert most_seconds(trainer) == 300
    assert processes_of(trainer).group is None  # they cannot meet here
    clock = compared(Path("unused")).clock
    clock.limit = most_seconds(trainer)
    assert clock.allowance() == 300
    assert most_seconds(pl.Trainer(accelerator="cpu", devices=1, logger=False)) == float("inf")
