"""The disk does not fill: old data files of classes are removed (law 8), and nothing that is needed."""

from __future__ import annotations

import dataclasses

import pytest
from callbacks_training import Still, TheirModule, small_spray, train
from unhans.callbacks import SpRAyAudit

from unhans.experiment.train.training_results import newest_audit
from unhans.harness import ClassRecord
from unhans.spray import rank_classes


def audit_of(root, **options):
    shared = {"network": "net", "on_error": "raise", "control": False, "folder": root / "audit", "pages": 0}
    return SpRAyAudit(spray=small_spray(), **shared | options)


def epochs_of(root, stem):
    return sorted(int(path.parent.name[-3:]) for path in (root / "audit").glob(f"epoch_*/{stem}.h5"))


def suspecting(monkeypatch, epochs):
    """Let class 0 stand out after these epochs, class 1 never."""
    now = iter(range(100))

    def changed(entries):
        found = rank_classes(entries)
        epoch = next(now) if found else -1
        return [dataclasses.replace(entry, suspicious=entry.label == 0 and epoch in epochs) for entry in found]

    monkeypatch.setattr("unhans.harness.audit_records.rank_classes", changed)


def test_of_every_class_the_last_data_stay_and_those_in_which_it_stood_out(tmp_path, monkeypatch):
    suspecting(monkeypatch, {0, 2})
    train(TheirModule(), [audit_of(tmp_path)], tmp_path, max_epochs=4, data=Still())
    assert epochs_of(tmp_path, "0000-0") == [2, 3]
    assert epochs_of(tmp_path, "0001-1") == [3]
    folders = sorted((tmp_path / "audit").iterdir())
    assert all({"ranking.csv", "suspects.csv"} <= {path.name for path in folder.iterdir()} for folder in folders)
    assert newest_audit(tmp_path / "audit", 1, "1").label == 1


def test_more_or_all_can_be_kept(tmp_path, monkeypatch):
    suspecting(monkeypatch, {0})
    train(TheirModule(), [audit_of(tmp_path, keep=2)], tmp_path, max_epochs=4, data=Still())
    assert epochs_of(tmp_path, "0000-0") == [0, 2, 3]
    assert epochs_of(tmp_path, "0001-1") == [2, 3]
    everything = audit_of(tmp_path / "all", keep="all")
    train(TheirModule(), [everything], tmp_path, max_epochs=3, data=Still())
    assert everything.records[1].stored == []  # the state in a checkpoint does not grow
    assert epochs_of(tmp_path / "all", "0001-1") == [0, 1, 2]
    for keep in (0, "some"):
        with pytest.raises(ValueError, match="keep expects 'last', 'all' or how many audits, 1 or more, got"):
            SpRAyAudit(keep=keep)


def test_a_resumed_run_removes_what_the_interrupted_one_left_and_nothing_of_others(tmp_path, monkeypatch):
    suspecting(monkeypatch, set())
    first, second = audit_of(tmp_path), audit_of(tmp_path)
    trainer = train(TheirModule(), [first], tmp_path, max_epochs=2, data=Still())
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    foreign = tmp_path / "audit" / "epoch_000" / "0001-1.h5"  # of another run in the same folder
    foreign.write_bytes(b"")
    train(TheirModule(), [second], tmp_path, max_epochs=3, data=Still(), ckpt_path=tmp_path / "half.ckpt")
    assert epochs_of(tmp_path, "0000-0") == [2]
    assert epochs_of(tmp_path, "0001-1") == [0, 2]


def test_an_audit_that_finds_nothing_new_to_keep_removes_nothing():
    record = ClassRecord(stored=[3], standing=1)
    assert record.outdated(1) == []
    assert record.outdated(1) == []
    assert ClassRecord(stored=[1, 2, 3], standing=1).outdated(1) == [2]
