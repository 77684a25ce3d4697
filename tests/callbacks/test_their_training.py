"""Audits in trainings that are not ours: wide heads, late networks, several fits, restarts, other loggers, monitors."""

from __future__ import annotations

import csv
import logging
import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from callbacks_training import (
    KeepingLogger,
    Still,
    TheirModule,
    Validated,
    small_monitor,
    small_spray,
    suspect_all,
    train,
)
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from unhans.callbacks import ArtifactMonitor, HeatmapEvolution, MaskRelevance, SpRAyAudit, UnHans
from unhans.callbacks.heatmap_evolution import Moment, shrink, thin_out

from unhans.artifacts import Border
from unhans.harness import AuditClock, ImageComparison, most_seconds, new_folder, warn_if_random
from unhans.report.loggers import log_epoch


def audit_of(root, **options):
    shared = {"network": "net", "on_error": "raise", "control": False, "folder": root / "audit"}
    return SpRAyAudit(spray=small_spray(), **shared | options)


def evolution_of(root, **options):
    shared = {"network": "net", "on_error": "raise", "folder": root / "evolution"}
    return HeatmapEvolution(**shared | options)


class Wide(TheirModule):
    """A head of seven outputs on data of two classes, which predicts the last one."""

    def __init__(self):
        super().__init__()
        self.net[-1] = nn.Linear(4 * 49, 7)
        with torch.no_grad():
            self.net[-1].bias[6] = 100.0


def test_a_head_may_be_wider_than_the_labels(tmp_path):
    audit, evolution = audit_of(tmp_path, verify=True, verify_samples=8), evolution_of(tmp_path)
    train(Wide(), [audit, evolution], tmp_path, max_epochs=1, data=Still())
    assert audit.failures == evolution.failures == 0
    assert len(audit.ranking) == 2
    assert (tmp_path / "audit" / "epoch_000" / "ranking.csv").exists()


class Late(TheirModule):
    """Makes its network in `configure_model`."""

    def __init__(self):
        super().__init__()
        del self.net

    def configure_model(self):
        self.net = TheirModule().net


def test_networks_may_be_made_in_configure_model(tmp_path):
    audit = audit_of(tmp_path)
    train(Late(), [audit], tmp_path, max_epochs=1, data=Still())
    assert len(audit.ranking) == 2
    with pytest.raises(MisconfigurationException, match="network='nett' names no module of Late"):
        train(Late(), [audit_of(tmp_path, network="nett")], tmp_path, max_epochs=1, data=Still())


def test_data_that_change_from_reading_to_reading_are_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "unhans"):
        train(TheirModule(), [audit_of(tmp_path)], tmp_path, max_epochs=1, data=Still())
        assert "differently each time" not in caplog.text
        train(TheirModule(), [audit_of(tmp_path)], tmp_path, max_epochs=1)
    assert "SpRAyAudit: the data set reads sample 0 differently each time, as with random augmentation" in caplog.text


def all_audits(root):
    """One audit of each kind."""
    inside = MaskRelevance(1, masks=lambda index: np.ones((len(index), 16, 16), bool), indices=[1, 3], network="net",
                           dataset="train", folder=root / "relevance", on_error="raise")  # fmt: skip
    return [audit_of(root), evolution_of(root), small_monitor(root), inside]


class Mirrored(Still):
    """Mirrors every second image that is read, at random."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image.flip(-1) if torch.rand(()) < 0.5 else image, label


@pytest.mark.parametrize("seed", range(4))
def test_a_flip_alone_is_told(caplog, seed):
    torch.manual_seed(seed)
    warn_if_random(Mirrored(), np.arange(0, 32, 2), "SpRAyAudit")
    assert "differently each time" in caplog.text
    caplog.clear()
    warn_if_random(Still(), np.arange(0, 32, 2), "SpRAyAudit")
    assert caplog.text == ""


def test_samples_of_a_checkpoint_are_not_taken_for_those_of_another_class(tmp_path, caplog):
    """Labels that were exchanged before the run went on."""
    first, second = Still(), Still(1 - torch.arange(32) % 2)
    trainer = train(TheirModule(), all_audits(tmp_path)[:3], tmp_path, max_epochs=1, data=first)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    callbacks = all_audits(tmp_path)[:3]
    with caplog.at_level(logging.WARNING, "unhans"):
        train(TheirModule(), callbacks, tmp_path, data=second, ckpt_path=tmp_path / "one.ckpt")
    audit, evolution, monitor = callbacks
    for each in (audit, evolution):
        assert all((second.targets[index] == label).all() for label, index in each._indices.items())
    for each in callbacks:
        assert f"{type(each).__name__}: the samples of an earlier fit or checkpoint have other labels" in caplog.text
    assert all(len(strip) == 1 for strip in evolution._history.values())
    assert all((second.targets[index] != 1).all() for index in monitor._indices.values())
    assert len(monitor.epochs) == len(monitor.added["border"]) == 1
    assert audit.looks == 0


def test_a_second_fit_begins_anew(tmp_path, caplog):
    """On the same data, with another trainer and another network."""
    audit, evolution, monitor, inside = callbacks = all_audits(tmp_path)
    train(TheirModule(), callbacks, tmp_path, max_epochs=1, data=Still())
    audit.looks = audit.failures = 3
    audit.clock.audits = 1e6
    train(TheirModule(), callbacks, tmp_path, max_epochs=1, data=Still())
    assert (audit.looks, audit.failures) == (0, 0)
    assert {len(strip) for strip in evolution._history.values()} == {1}
    assert monitor.epochs == [0]
    assert len(monitor.added["border"]) == 1
    assert [point.epoch for point in inside.points] == [0, 1]
    assert audit.clock.audits < 1e6
    assert "other labels" not in caplog.text


def test_a_fit_that_goes_on_with_its_trainer_keeps_what_was_found(tmp_path):
    monitor = small_monitor(tmp_path)
    trainer = train(TheirModule(), [monitor], tmp_path, max_epochs=1, data=Still())
    trainer.fit_loop.max_epochs = 2
    trainer.fit(trainer.lightning_module, trainer.train_dataloader)
    assert monitor.epochs == [0, 1]


def test_validation_data_are_audited_where_lightning_has_not_loaded_them(tmp_path):
    audit = audit_of(tmp_path, dataset="val")
    options = {"num_sanity_val_steps": 0, "check_val_every_n_epoch": 2}
    train(Validated(), [audit], tmp_path, data=Still(), val=Still(), **options)
    assert len(audit.ranking) == 2


class Slow(HeatmapEvolution):
    """Takes two seconds."""

    def audit(self, trainer, network):
        time.sleep(2)


def test_other_audits_do_not_count_as_training(tmp_path):
    slow, audit = Slow(network="net"), audit_of(tmp_path)
    began = time.perf_counter()
    train(TheirModule(), [slow, audit], tmp_path, max_epochs=1, data=Still())
    assert slow.clock.audits >= 2
    assert audit.clock.training < time.perf_counter() - began - 2
    assert audit.clock.training == pytest.approx(slow.clock.training, abs=1)


def test_a_class_that_fails_in_any_way_does_not_keep_the_others_from_their_turn(tmp_path, monkeypatch):
    audit = audit_of(tmp_path, on_error="log")
    monkeypatch.setattr(ImageComparison, "find", broken_for(0, ImageComparison.find))
    train(TheirModule(), [audit], tmp_path, data=Still())
    assert [entry.name for entry in audit.ranking] == ["1"]
    assert audit.failures == 2
    audit = audit_of(tmp_path, on_error="log")
    monkeypatch.setattr(SpRAyAudit, "_write_class", broken_for(1, SpRAyAudit._write_class, at=1))
    train(TheirModule(), [audit], tmp_path, max_epochs=1, data=Still())
    assert (tmp_path / "audit" / "epoch_000" / "ranking.csv").exists()


def broken_for(label, method, at=0):
    def changed(self, *arguments):
        if arguments[at] == label:
            raise OSError("the disk is gone")
        return method(self, *arguments)

    return changed


def suspect_two(entries):
    """Let a class stand out as soon as there is another."""
    found = suspect_all(entries)
    return [replace(each, suspicious=len(found) > 1) for each in found]


def test_what_is_not_measured_now_is_not_logged_as_new(tmp_path, monkeypatch):
    """With turns an audit takes some classes: the others keep their rows and their epoch, and have no new numbers."""
    audit, logged, tables = audit_of(tmp_path, max_share=0.5), [], []
    monkeypatch.setattr(
        "unhans.callbacks.audit.log_epoch", lambda *given: (logged.append(given[3]), tables.append(given[5]))
    )
    whole = SpRAyAudit._audit_class

    def one_at_a_time(self, auditor, label, say):
        whole(self, auditor, label, say)
        monkeypatch.setattr(AuditClock, "allowance", lambda self: 0.0)

    def allow(*_):
        monkeypatch.setattr(AuditClock, "allowance", lambda self: 1e9)

    monkeypatch.setattr(SpRAyAudit, "_audit_class", one_at_a_time)
    monkeypatch.setattr(SpRAyAudit, "on_train_epoch_start", allow)
    monkeypatch.setattr("unhans.harness.audit_records.rank_classes", suspect_two)
    train(TheirModule(), [audit], tmp_path, data=Still())
    assert [line.split(",")[0] for line in (audit.folder / "epoch_000" / "suspects.csv").open()] == ["path"]
    assert ["audit/0/score" in each for each in logged] == [True, False]
    assert ["audit/1/score" in each for each in logged] == [False, True]
    with (tmp_path / "audit" / "epoch_001" / "ranking.csv").open() as file:
        assert {row["name"]: row["epoch"] for row in csv.DictReader(file)} == {"0": "0", "1": "1"}
    with (tmp_path / "audit" / "epoch_001" / "suspects.csv").open() as file:
        assert {row["class"] for row in csv.DictReader(file)} == {"0", "1"}
    columns, rows = tables[1]["audit/ranking_table"]
    assert {row[columns.index("name")]: row[columns.index("epoch")] for row in rows} == {"0": 0, "1": 1}


def test_numbers_of_audits_can_be_monitored(tmp_path):
    monitor = small_monitor(tmp_path)
    name = "effect/border/delta_p"
    best = ModelCheckpoint(tmp_path / "best", monitor=name, mode="min", save_on_train_epoch_end=True)
    stop = EarlyStopping(name, patience=0, min_delta=10.0, check_on_train_epoch_end=True)
    options = {"max_epochs": 4, "enable_checkpointing": True, "data": Still()}
    trainer = train(TheirModule(), [audit_of(tmp_path), monitor, stop, best], tmp_path, **options)
    assert trainer.current_epoch == 2  # the second value is no better by ten
    assert len(list((tmp_path / "best").iterdir())) == 1
    assert float(trainer.callback_metrics[name]) == pytest.approx(monitor.added["border"][-1].probability)
    assert {"audit/proven", "audit/0/score"} <= set(trainer.callback_metrics)


def test_loggers_are_known_by_name_and_every_key_holds_one_thing(tmp_path):
    """`lightning.pytorch` has classes of its own, of the same names."""
    sent = {}

    class TensorBoardLogger:
        class experiment:  # noqa: N801
            add_image = staticmethod(lambda name, *_, **__: sent.setdefault(name, True))
            flush = staticmethod(lambda: None)

        def log_metrics(self, numbers, step):
            sent.update(numbers)

        def save(self):
            pass

    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "page.png")
    log_epoch([TensorBoardLogger()], 0, 0, {"audit/share": 0.5}, {"audit/ranking": tmp_path / "page.png"})
    assert sent == {"audit/share": 0.5, "epoch": 0, "audit/ranking": True}
    with pytest.raises(ValueError, match="needs a key of its own, got two things under 'a'"):
        log_epoch([], 0, 0, {}, {"a": tmp_path / "page.png"}, {"a": (("x",), [])})


def test_a_picture_and_a_table_of_the_ranking_are_logged_under_keys_of_their_own(tmp_path, monkeypatch):
    """Also where classes are called like the audit's own keys."""

    class Named(Still):
        classes = ("ranking", "share")

    calls = []
    monkeypatch.setattr("unhans.callbacks.audit.log_epoch", lambda *given: calls.append(given[3:]))
    train(TheirModule(), [audit_of(tmp_path)], tmp_path, max_epochs=1, data=Named())
    scalars, figures, tables = calls[0]
    assert {"audit/ranking", "audit/ranking/page", "audit/share/page"} <= set(figures)
    assert "audit/ranking_table" in tables
    assert len({*scalars, *figures, *tables}) == len(scalars) + len(figures) + len(tables)


def test_a_class_named_like_markup_is_audited(tmp_path):
    class Named(Still):
        classes = ("a[/b]", "[x]")

    audit = audit_of(tmp_path)
    train(TheirModule(), [audit], tmp_path, data=Named(), max_epochs=1, enable_progress_bar=True)
    assert [entry.name for entry in audit.ranking if entry.name in Named.classes] != []
    assert audit.failures == 0


def test_strips_stay_small_and_know_their_epochs(tmp_path):
    strip = []
    for epoch in range(40):
        strip = thin_out([*strip, Moment(epoch, np.zeros((2, 2), np.float16), 1.0, 0, 0)])
    epochs = [moment.epoch for moment in strip]
    assert (len(epochs), epochs[0], epochs[-1]) == (10, 0, 39)
    gaps = np.diff(epochs)[:-1]  # the last epoch is always there
    assert max(gaps) <= 2 * min(gaps)
    heatmap = 1e-6 * np.random.default_rng(0).normal(size=(224, 224)).astype(np.float32)
    kept, peak = shrink(heatmap)
    assert kept.shape == (56, 56)
    whole = heatmap.reshape(56, 4, 56, 4).sum((1, 3))
    assert np.abs(kept * np.float32(peak) - whole).max() < 1e-3 * np.abs(whole).max()


class FailsOnce(HeatmapEvolution):
    """The second class cannot be read after the second epoch."""

    def audit(self, trainer, network):
        kept = dict(self._indices)
        if trainer.current_epoch == 1:
            self._indices = {0: kept[0], 1: np.array([99])}
        try:
            super().audit(trainer, network)
        finally:
            self._indices = kept


def test_a_strip_says_its_own_epochs_after_a_failure(tmp_path):
    evolution = FailsOnce(network="net", samples_per_class=1, folder=tmp_path)
    train(TheirModule(), [evolution], tmp_path, max_epochs=3, data=Still())
    assert evolution.failures == 1
    epochs = {
        label: [m.epoch for m in evolution._history[int(index[0])]] for label, index in evolution._indices.items()
    }
    assert epochs == {0: [0, 1, 2], 1: [0, 2]}


def test_two_runs_never_share_a_folder(tmp_path):
    """Nor two fits with one callback; a resumed run goes on in its own."""

    def folders():
        return sorted(path.name for path in tmp_path.iterdir() if path.is_dir())

    first, second = audit_of(tmp_path, folder=None), audit_of(tmp_path, folder=None)
    trainer = train(TheirModule(), [first], tmp_path, max_epochs=1, data=Still())
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    train(TheirModule(), [second], tmp_path, max_epochs=1, data=Still())
    assert folders() == ["audit", "audit-v1"]
    train(TheirModule(), [second], tmp_path, max_epochs=1, data=Still())
    assert folders() == ["audit", "audit-v1", "audit-v2"]
    resumed = audit_of(tmp_path, folder=None)
    train(TheirModule(), [resumed], tmp_path, data=Still(), ckpt_path=tmp_path / "one.ckpt")
    assert folders() == ["audit", "audit-v1", "audit-v2"]
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == ["epoch_000", "epoch_001"]
    assert sorted(path.name for path in (tmp_path / "audit-v1").iterdir()) == ["epoch_000"]


def test_a_folder_is_taken_once_also_while_it_is_empty(tmp_path):
    assert [new_folder(tmp_path, "audit") for _ in range(3)] == ["audit", "audit-v1", "audit-v2"]


def test_training_and_validation_data_are_audited_side_by_side(tmp_path, monkeypatch):
    """Two audits of one kind have their own files, keys and places in a checkpoint."""
    logged = []
    monkeypatch.setattr("unhans.callbacks.audit.log_epoch", lambda *given: logged.append(set(given[3])))

    audits = [audit_of(tmp_path, folder=None), audit_of(tmp_path, folder=None, dataset="val")]
    train(Validated(), audits, tmp_path, data=Still(), val=Still(), max_epochs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit", "audit_val"]
    assert [{key.split("/")[0] for key in keys} for keys in logged] == [{"audit"}, {"audit_val"}]
    assert {each.state_key for each in audits} == {"SpRAyAudit", "SpRAyAudit:audit_val"}
    third = UnHans(network="net", name="audit")
    with pytest.raises(MisconfigurationException, match="got 'audit' for a SpRAyAudit and a UnHans; give one of"):
        train(TheirModule(), [audits[0], third], tmp_path, data=Still())


def test_a_resumed_run_keeps_the_ranking_of_classes_whose_turn_it_is_not(tmp_path, monkeypatch):
    first = audit_of(tmp_path)
    trainer = train(TheirModule(), [first], tmp_path, max_epochs=1, data=Still())
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    torch.load(tmp_path / "one.ckpt", weights_only=True)
    second = audit_of(tmp_path, max_share=0.5)
    monkeypatch.setattr(AuditClock, "allowance", lambda self: 0.0)
    train(TheirModule(), [second], tmp_path, data=Still(), ckpt_path=tmp_path / "one.ckpt")
    assert second.ranking == first.ranking
    assert {label: list(index) for label, index in second.clusters.items()} == {
        label: list(index) for label, index in first.clusters.items()
    }
    assert any(len(index) for index in second.clusters.values())
    assert {label: record.epoch for label, record in second.records.items()} == {0: 0, 1: 0}


def size_of(state, folder):
    torch.save(state, folder / "state.pt")
    return (folder / "state.pt").stat().st_size


def test_what_audits_leave_in_a_checkpoint_stays_within_what_they_say(tmp_path):
    audit, monitor = audit_of(tmp_path), small_monitor(tmp_path)
    trainer = train(TheirModule(), [audit, monitor], tmp_path, max_epochs=1, data=Still())
    before = [size_of(each.state_dict(), tmp_path) for each in (audit, monitor)]
    trainer.fit_loop.max_epochs = 5
    trainer.fit(trainer.lightning_module, trainer.train_dataloader)
    after = [size_of(each.state_dict(), tmp_path) for each in (audit, monitor)]
    assert before[0] < 200 * 32 + 5000
    assert after[0] < 200 * 32 + 5000
    assert after[1] - before[1] < 4 * 2000


def test_monitors_of_both_splits_need_no_names_and_two_of_one_are_told_to_take_some(tmp_path):
    """By our sentence, not by Lightning's, which does not know `name=`."""
    options = {"network": "net", "samples": 6, "on_error": "raise"}
    both = [ArtifactMonitor(Border(1, width=0.2), dataset=split, **options) for split in ("train", "val")]
    trainer = train(Validated(), both, tmp_path, max_epochs=1, data=Still(), val=Still())
    assert {"effect/border/delta_p", "effect_train/border/delta_p"} <= set(trainer.callback_metrics)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["effect", "effect_train"]
    assert {each.state_key for each in both} == {"ArtifactMonitor", "ArtifactMonitor:effect_train"}
    for make in (
        lambda: ArtifactMonitor(Border(1, width=0.2), **options),
        lambda: audit_of(tmp_path),
        lambda: evolution_of(tmp_path),
        lambda: all_audits(tmp_path)[3],
    ):
        with pytest.raises(MisconfigurationException, match=r"needs a name of its own .*; give one of them name="):
            train(Validated(), [make(), make()], tmp_path, max_epochs=1, data=Still(), val=Still())


@pytest.mark.parametrize("number", range(4))
def test_an_audit_that_fails_as_a_whole_logs_that(tmp_path, monkeypatch, number):
    audit = all_audits(tmp_path)[number]
    audit.on_error, logger = "log", KeepingLogger(tmp_path)
    monkeypatch.setattr(type(audit), "audit", lambda *_: 1 / 0)
    trainer = train(TheirModule(), [audit], tmp_path, max_epochs=1, data=Still(), logger=logger)
    failures = [call[f"{audit.name}/failures"] for call in logger.calls_with(f"{audit.name}/failures")]
    assert failures == list(range(1, audit.failures + 1))
    assert float(trainer.callback_metrics[f"{audit.name}/failures"]) == audit.failures >= 1


def test_an_audit_takes_half_of_what_processes_wait_for_each_other(tmp_path, monkeypatch):
    pair = SimpleNamespace(world_size=2, strategy=SimpleNamespace(_timeout=timedelta(seconds=600)))
    assert most_seconds(pair) == 300
    monkeypatch.setattr("unhans.harness.most_seconds", lambda trainer: 7.0)
    audit = audit_of(tmp_path)
    train(TheirModule(), [audit], tmp_path, max_epochs=1, data=Still())
    assert audit.clock.limit == 7.0
