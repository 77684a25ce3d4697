"""SpRAyAudit in somebody else's training."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from callbacks_training import KeepingLogger, NoisyImages, TheirModule, small_audits, small_spray, train
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import Subset, TensorDataset
from unhans.callbacks import SpRAyAudit

from unhans.attribution import Relevance
from unhans.harness import AuditClock, Processes
from unhans.store.virelay import load_audit


def small_audit(folder, **options):
    defaults = {
        "network": "net",
        "spray": small_spray(),
        "folder": folder / "audit",
        "control": False,
        "on_error": "raise",
    }
    return SpRAyAudit(**(defaults | options))


def test_everything_is_on_disk_and_in_the_ranking(tmp_path, capsys):
    audit = small_audit(tmp_path, control=True)
    train(TheirModule(), [audit], tmp_path)
    assert sorted(found.name for found in audit.ranking) == ["0", "1"]
    assert all(found.control_lambda_2 is not None for found in audit.ranking)
    files = {path.name for path in (tmp_path / "audit" / "epoch_001").iterdir()}
    assert files == {
        "0000-0.h5", "0000-0.jpg", "0001-1.h5", "0001-1.jpg", "ranking.csv", "ranking.png", "separability.csv",
        "separability.png", "suspects.csv",
    }  # fmt: skip
    saved = load_audit(tmp_path / "audit" / "epoch_001" / "0001-1.h5")
    assert saved.index.tolist() == list(range(1, 32, 2))
    assert saved.description == Relevance().description
    assert "epoch 1: SpRAy audit of 2 classes in" in capsys.readouterr().out


def test_other_data_sets_work(tmp_path):
    whole = NoisyImages()
    tensors = TensorDataset(whole.images, torch.as_tensor(whole.targets))
    for dataset in (Subset(whole, range(8, 32)), tensors):
        audit = small_audit(tmp_path, dataset=dataset, every_n_epochs=2)
        train(TheirModule(), [audit], tmp_path)
        assert len(audit.ranking) == 2


def test_one_call_to_the_logger_per_epoch(tmp_path):
    logger = KeepingLogger(tmp_path)
    train(TheirModule(), [small_audit(tmp_path)], tmp_path, logger=logger)
    audits = logger.calls_with("audit/")
    assert len(audits) == 2
    assert {"audit/0/tau", "audit/1/lambda_2", "audit/seconds", "audit/share", "audit/failures"} <= audits[0].keys()


def test_a_resumed_run_keeps_samples_and_strips(tmp_path):
    def run(folder, **options):
        torch.manual_seed(3)
        module, callbacks = TheirModule(), small_audits(folder, samples_per_class=9)
        trainer = train(module, callbacks, folder, **options)
        return module, callbacks, trainer

    _, (evolution, audit), _ = run(tmp_path / "whole", max_epochs=2)
    _, _, trainer = run(tmp_path / "half", max_epochs=1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    _, (evolution2, audit2), _ = run(tmp_path / "rest", max_epochs=2, ckpt_path=tmp_path / "half.ckpt")
    assert evolution2.epochs == evolution.epochs == [0, 1]
    assert audit2._indices.keys() == audit._indices.keys()
    assert all((audit2._indices[k] == audit._indices[k]).all() for k in audit._indices)
    for index, strip in evolution._history.items():
        assert np.array_equal(strip[0][0], evolution2._history[index][0][0])


def test_the_share_of_time_is_kept_and_classes_take_turns(tmp_path, capsys, monkeypatch):
    audit = small_audit(tmp_path, max_share=0.5)
    monkeypatch.setattr(AuditClock, "allowance", lambda self: 0.0)
    train(TheirModule(), [audit], tmp_path)
    assert [found.name for found in audit.ranking] == []
    assert "left for the next audit: 0, 1" in capsys.readouterr().out


def test_classes_take_turns(tmp_path, monkeypatch):
    audit = small_audit(tmp_path, max_share=0.5)
    done = []
    original = SpRAyAudit._audit_class

    def one_class_only(self, auditor, label, say):
        done.append(label)
        original(self, auditor, label, say)
        monkeypatch.setattr(AuditClock, "allowance", lambda self: 0.0)

    monkeypatch.setattr(SpRAyAudit, "_audit_class", one_class_only)
    monkeypatch.setattr(SpRAyAudit, "on_train_epoch_start", lambda *_: None)
    module = TheirModule()
    monkeypatch.setattr(AuditClock, "allowance", lambda self: 1e9)
    train(module, [audit], tmp_path, max_epochs=1)
    assert done == [0]
    assert audit.records.order(Processes()) == [1, 0]


def test_allowance_is_the_share_of_all_time(tmp_path):
    clock = small_audit(tmp_path, max_share=0.25).clock
    clock.training, clock.audits = 30.0, 4.0
    assert clock.allowance() == pytest.approx(6.0)  # (4 + 6) / (30 + 10) = 0.25
    assert small_audit(tmp_path).clock.allowance() == float("inf")


class Failing:
    description = "an explainer that fails"

    def of(self, model):
        def explain(images, target):
            raise RuntimeError("no heatmap today")

        return explain


def test_a_failure_is_logged_and_counted_and_training_goes_on(tmp_path, caplog):
    audit = small_audit(tmp_path, attribution=Failing(), on_error="log")
    with caplog.at_level(logging.ERROR, "unhans"):
        trainer = train(TheirModule(), [audit], tmp_path)
    assert trainer.current_epoch == 2
    assert audit.failures == 4  # two classes, in two epochs
    assert "auditing class '1' failed; training goes on." in caplog.text
    assert "no heatmap today" in caplog.text


def test_a_failure_can_stop_training(tmp_path):
    with pytest.raises(RuntimeError, match="no heatmap today"):
        train(TheirModule(), [small_audit(tmp_path, attribution=Failing())], tmp_path)


class Images(TensorDataset):
    classes = ("good", "odd")


def images_with(change):
    """Sixteen images per class; `change` alters those of class "odd"."""
    images, labels = torch.rand(32, 1, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 2
    change(images, labels == 1)
    return Images(images, labels)


def fill(value):
    def change(images, odd):
        images[odd] = value

    return change


@pytest.mark.parametrize(
    ("value", "sentence"),
    [(float("nan"), "finite"), (0.5, "identical"), (0.0, "identical")],
    ids=["NaN", "constant", "zero"],
)
def test_a_class_that_cannot_be_clustered_is_reported_and_the_others_go_on(value, sentence, tmp_path, caplog):
    audit = small_audit(tmp_path, dataset=images_with(fill(value)), on_error="log")
    with caplog.at_level(logging.ERROR, "unhans"):
        train(TheirModule(), [audit], tmp_path, max_epochs=1)
    assert [found.name for found in audit.ranking] == ["good"]
    assert audit.failures == 1
    assert "auditing class 'odd' failed" in caplog.text
    assert sentence in caplog.text


def test_duplicate_images_are_audited(tmp_path):
    def change(images, odd):
        images[odd] = images[odd][torch.arange(16) % 8]

    audit = small_audit(tmp_path, dataset=images_with(change))
    train(TheirModule(), [audit], tmp_path, max_epochs=1)
    assert {found.name for found in audit.ranking} == {"good", "odd"}


def test_one_class_alone_can_be_audited(tmp_path):
    audit = small_audit(tmp_path, dataset=Subset(NoisyImages(), range(1, 32, 2)))
    train(TheirModule(), [audit], tmp_path, max_epochs=1)
    assert [found.name for found in audit.ranking] == ["1"]


def test_a_class_with_too_few_samples_is_left_out_with_a_sentence(tmp_path, caplog):
    dataset = Subset(NoisyImages(), [0, 2, 4, *range(1, 32, 2)])
    with caplog.at_level(logging.WARNING, "unhans"):
        audit = small_audit(tmp_path, dataset=dataset)
        train(TheirModule(), [audit], tmp_path, max_epochs=1)
    assert [found.name for found in audit.ranking] == ["1"]
    assert "class '0' has 3 samples to audit; SpRAy expects more than n_neighbors=4" in caplog.text


def test_no_class_is_large_enough(tmp_path):
    audit = small_audit(tmp_path, dataset=Subset(NoisyImages(), range(6)))
    with pytest.raises(MisconfigurationException, match="more than n_neighbors=4 samples, there is none"):
        train(TheirModule(), [audit], tmp_path)


def test_misconfiguration_is_refused_before_training(tmp_path):
    with pytest.raises(
        MisconfigurationException, match=r"network='model' names no module of TheirModule, which has 'net'"
    ):
        train(TheirModule(), [small_audit(tmp_path, network="model")], tmp_path)
    with pytest.raises(
        MisconfigurationException, match="SpRAyAudit: classes names no class: expected one of 2 class names, got '7'"
    ):
        train(TheirModule(), [small_audit(tmp_path, classes=["7"])], tmp_path)
    with pytest.raises(MisconfigurationException, match="expects a data set with samples by index"):
        train(TheirModule(), [small_audit(tmp_path, dataset="val")], tmp_path)


def test_a_network_without_rules_is_refused_by_name_before_training(tmp_path):
    module = TheirModule()
    module.net.append(nn.Softmax(1))
    with pytest.raises(MisconfigurationException, match="_softmax"):
        train(module, [small_audit(tmp_path)], tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"every_n_epochs": 0}, "every_n_epochs expects 1 or more, got 0"),
        ({"on_error": "ignore"}, "on_error expects 'log' or 'raise', got 'ignore'"),
        ({"dataset": "test"}, "dataset expects 'train', 'val' or a data set, got 'test'"),
        ({"max_share": 1.5}, "max_share expects a share between 0 and 1"),
        ({"samples_per_class": 1}, "samples_per_class expects 2 or more"),
        ({"attribution": "lrp"}, "attribution expects"),
    ],
)
def test_knobs_are_checked_at_once(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        SpRAyAudit(**options)


def test_what_the_images_propose_is_looked_for_once(tmp_path, monkeypatch):
    """They stay the same while a model trains; other images are looked at again."""
    asked, found = [], []
    monkeypatch.setattr("unhans.harness.audited_class.image_groups", lambda shown, others: asked.append(shown) or found)
    whole = NoisyImages()
    audit = small_audit(tmp_path, dataset=TensorDataset(whole.images, torch.as_tensor(whole.targets)))
    train(TheirModule(), [audit], tmp_path)
    assert len(asked) == 2  # classes, in two epochs
    assert audit._comparison.find(0, asked[0]).groups is found
    assert len(asked) == 2
    audit._comparison.find(0, asked[0] + 1)
    assert len(asked) == 3
