"""The closed loop in somebody else's training: it acts on what is proven, and on nothing else."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from callbacks_training import (
    KeepingLogger,
    NoisyImages,
    Still,
    TheirModule,
    isolate_corners,
    small_spray,
    suspect_all,
    train,
    trainer_of,
)
from proven_cases import CASES, FAILURES, WEAK, proof_of
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader, Sampler
from unhans.callbacks import UnHans

from unhans.effects import Case
from unhans.effects import class_examination as examine_class
from unhans.harness import ClassRecords, audited_class
from unhans.report.files import AuditPages
from unhans.report.text import decision_reason


class Many(Still):
    """Five times as many."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(160, 1, 16, 16, generator=generator)
        self.targets = torch.arange(160) % 2
        self.images[1::4, :, :5, :5] = 3


class Epochs(Sampler):
    """An order for each epoch, so that a resumed run sees that of the uninterrupted one."""

    def __init__(self, n):
        self.n, self.epoch = n, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.n

    def __iter__(self):
        yield from np.random.default_rng(self.epoch).permutation(self.n).tolist()


REASONS = {
    "as the control": "not told from a control",
    "too few": "too few samples",
    "not isolated": "not isolated",
    "no layer": "not isolated",
    "features only": "features only",
}


class Given:
    """Stands for `examine_class`: gives class 1 the case it is told to, audit after audit."""

    def __init__(self, *cases):
        self.cases, self.asked = list(cases), 0

    def __call__(self, bench, sample, candidates, plan, others, **options):
        if sample.label != 1:
            return [Case(sample.label, sample.name, sample.suspicion, failures=FAILURES)]
        case = self.cases[min(self.asked, len(self.cases) - 1)]
        self.asked += 1
        if case is None:
            raise RuntimeError("no test today")
        return [replace(case, suspicion=sample.suspicion)]


@pytest.fixture(autouse=True)
def _all_are_suspicious_and_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr("unhans.harness.audit_records.rank_classes", suspect_all)
    for name in ("add", "add_case", "finish"):
        monkeypatch.setattr(AuditPages, name, lambda *arguments: None)
    monkeypatch.setattr("unhans.callbacks.closed_loop.write_course", lambda *arguments: {})


def given(monkeypatch, *names):
    monkeypatch.setattr(audited_class, "examine_class", Given(*(CASES[name] for name in names)))


def small(folder, **options):
    defaults = {"network": "net", "dataset": Still(), "spray": small_spray(), "folder": folder / "audit"}
    defaults["classes"] = ["1"]
    return UnHans(**(defaults | {"control": False, "on_error": "raise", "verify_samples": 16} | options))


def trained(folder, callbacks, max_epochs=2, ckpt_path=None, module=None, data=None, **options):
    torch.manual_seed(1)
    module = module or TheirModule()
    pl.seed_everything(0, verbose=False)
    data = data or Still()
    trainer = trainer_of(folder, callbacks, max_epochs=max_epochs, **options)
    module.net[4].p = 0.0  # dropout draws from a random state that a resumed run does not have
    trainer.fit(module, DataLoader(data, batch_size=8, sampler=Epochs(len(data))), ckpt_path=ckpt_path)
    return trainer


def weights(trainer):
    return {key: value.clone() for key, value in trainer.lightning_module.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def record(folder):
    return json.loads((folder / "audit" / "decisions.json").read_text())


@pytest.mark.parametrize("act", ["augment", "a_clarc", "none"])
@pytest.mark.parametrize("name", [name for name in CASES if name != "proven"])
def test_it_never_acts_on_what_is_not_proven(name, act, tmp_path, monkeypatch):
    given(monkeypatch, name)
    plain = weights(trained(tmp_path / "plain", []))
    audit = small(tmp_path, act=act, layer="0", on_error="log")
    assert same(plain, weights(trained(tmp_path, [audit])))
    assert audit.followed == []
    assert {each.done for each in audit.decisions} == {"did not act"}
    told = [each for each in audit.decisions if each.label == 1]
    assert len(told) == 2
    assert all("nothing is done" in decision_reason(each) for each in told)
    assert told[0].verdict == {"not used": "not used", "not verified": "not tested"}.get(name, "open")
    assert told[0].reason == REASONS.get(name, "")


@pytest.mark.parametrize("act", ["augment", "a_clarc"])
def test_what_is_proven_is_acted_on_from_the_next_epoch_and_measured_again(act, tmp_path, monkeypatch, capsys):
    given(monkeypatch, "proven")
    plain = [weights(trained(tmp_path / f"plain{n}", [], n)) for n in (1, 3)]
    audit = small(tmp_path, act=act, layer="0")
    seen = []

    class Seeing(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            seen.append({key: value.clone() for key, value in pl_module.state_dict().items()})

    trainer = trained(tmp_path, [audit, Seeing()], 3)
    assert same(seen[0], plain[0])  # until it is proven nothing changes
    assert not same(weights(trainer), plain[1])
    assert weights(trainer).keys() == plain[1].keys()
    done = [(each.epoch, each.done) for each in audit.decisions if each.label == 1]
    assert done[:2] == [(0, "acted"), (1, "measured again")]
    artifact = audit.followed[0]
    assert artifact.epochs == [0, 1, 2]
    assert artifact.effects[1].n == artifact.effects[0].n == 16
    said = capsys.readouterr().out
    assert "epoch 0: class '1': proven: its artifact is" in said
    assert "the artifact proven after epoch 0 (" in said
    decisions = record(tmp_path)["decisions"]
    assert [each["done"] for each in decisions] == [each.done for each in audit.decisions]
    first = next(each for each in decisions if each["done"] == "acted")
    assert first["controls"][0]["name"] == "mean colour"
    assert first["delta_p_low"] > 0.05
    assert first["score"] is not None


def test_with_a_clarc_what_lies_below_the_layer_is_kept_and_the_network_is_given_back(tmp_path, monkeypatch):
    given(monkeypatch, "proven")
    module = TheirModule()
    first = {}

    class Seeing(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            first.setdefault("weights", {key: value.clone() for key, value in pl_module.state_dict().items()})

    trained(tmp_path, [small(tmp_path, act="a_clarc", layer="3"), Seeing()], 3, module=module)
    changed = {key for key, value in module.state_dict().items() if not torch.equal(value, first["weights"][key])}
    assert changed == {"net.6.weight", "net.6.bias"}
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not any(child._forward_hooks for child in module.modules())


def test_pasting_changes_what_the_network_sees_in_all_classes(tmp_path, monkeypatch):
    given(monkeypatch, "proven")
    seen = []

    class Looking(TheirModule):
        def training_step(self, batch, batch_idx):
            seen.append((self.current_epoch, batch[0][:, 0, :5, :5].clone(), batch[1]))
            return super().training_step(batch, batch_idx)

    dataset = Still()
    trained(tmp_path, [small(tmp_path, dataset=dataset)], 2, module=Looking())
    white = float(dataset.images.max())
    corner = {epoch: torch.cat([x for e, x, _ in seen if e == epoch]) for epoch in (0, 1)}
    assert (corner[1] >= white - 1e-4).all()
    assert not (corner[0] >= white - 1e-4).all()
    assert torch.equal(dataset.images, NoisyImages().images)


def test_a_dry_run_tells_what_it_would_do_and_leaves_training_alone(tmp_path, monkeypatch, capsys):
    given(monkeypatch, "proven")
    plain = weights(trained(tmp_path / "plain", [], 3))
    audit = small(tmp_path, act="none")
    assert same(plain, weights(trained(tmp_path, [audit], 3)))
    assert next(each.done for each in audit.decisions if each.label == 1) == "would act"
    assert not any(each.acted for each in audit.followed)
    said = capsys.readouterr().out
    assert "this is a dry run, so nothing is done; act=augment would lay its artifact over the training images" in said


def test_patience_waits_for_proofs_in_a_row(tmp_path, monkeypatch):
    given(monkeypatch, "proven", "as the control", "proven", "proven")
    audit = small(tmp_path, patience=2)
    trained(tmp_path, [audit], 4)
    said = [(each.epoch, each.done, decision_reason(each)) for each in audit.decisions if each.label == 1]
    assert [(epoch, done) for epoch, done, _ in said] == [(e, "did not act") for e in range(3)] + [(3, "acted")]
    assert "proven in 1 of 2 audits in a row" in said[0][2]
    assert "proven in 1 of 2 audits in a row" in said[2][2]


@pytest.mark.parametrize(("act", "patience"), [("augment", 1), ("a_clarc", 1), ("augment", 2)])
def test_a_resumed_run_equals_the_uninterrupted_one(act, patience, tmp_path, monkeypatch):
    def run(folder, max_epochs, *names, **options):
        given(monkeypatch, *names)
        audit = small(folder, act=act, patience=patience, layer="0")
        return audit, trained(folder, [audit], max_epochs, **options)

    whole, trainer = run(tmp_path / "whole", 4, "proven")
    _, half = run(tmp_path / "half", 2 if patience == 1 else 1, "proven")
    half.save_checkpoint(tmp_path / "half.ckpt")
    torch.load(tmp_path / "half.ckpt", weights_only=True)
    rest, resumed = run(tmp_path / "rest", 4, "proven", ckpt_path=tmp_path / "half.ckpt")
    assert same(weights(trainer), weights(resumed))
    assert rest.decisions == whole.decisions
    assert len(whole.followed) == len(rest.followed) >= 1
    assert [each.effects for each in rest.followed] == [each.effects for each in whole.followed]
    assert record(tmp_path / "rest") == record(tmp_path / "whole")
    plain = weights(trained(tmp_path / "plain", [], 4))
    assert not same(plain, weights(trainer))


def test_a_real_loop_isolates_proves_and_pastes(tmp_path, monkeypatch):
    monkeypatch.setattr(examine_class, "isolate", isolate_corners)
    monkeypatch.setattr(ClassRecords, "due", lambda *arguments: [1])
    options = {"dataset": Many(), "verify_samples": 60}
    dry, pasting = small(tmp_path, act="none", **options), small(tmp_path / "pasting", **options)
    trained(tmp_path, [dry], 6, data=Many())
    trained(tmp_path, [pasting], 6, data=Many())
    assert [each.done for each in pasting.decisions].count("acted") >= 1
    assert dry.followed[0].since == pasting.followed[0].since < 5
    learned, repaired = (each.followed[0].effects[-1].probability for each in (dry, pasting))
    assert learned > 0.1
    assert repaired < learned / 2


def test_several_artifacts_at_once(tmp_path, monkeypatch):
    class Both(Given):
        def __call__(self, bench, sample, candidates, plan, others, **options):
            named = {"label": sample.label, "name": sample.name, "suspicion": sample.suspicion}
            case = replace(CASES["proven"], **named)
            indices = np.flatnonzero(bench.labels != sample.label)
            added = tuple(replace(trial, indices=indices) for trial in case.proof.added)
            return [replace(case, proof=replace(case.proof, added=added, label=sample.label))]

    monkeypatch.setattr(audited_class, "examine_class", Both())
    audit = small(tmp_path, classes=None)
    trained(tmp_path, [audit], 2)
    assert sorted(each.label for each in audit.followed[:2]) == [0, 1]
    assert len(audit.remedy.callbacks[0].artifacts) >= 2


def test_one_call_to_the_logger_per_epoch(tmp_path, monkeypatch):
    given(monkeypatch, "proven")
    logger = KeepingLogger(tmp_path)
    trained(tmp_path, [small(tmp_path)], 2, logger=logger)
    calls = logger.calls_with("audit/", "unhans/")
    assert len(calls) == 2
    assert calls[0]["unhans/acted"] == 1
    assert {"unhans/1/delta_p", "unhans/1/delta_p_low", "unhans/1/delta_p_high", "audit/1/score"} <= calls[1].keys()


def test_a_failure_is_logged_and_training_goes_on(tmp_path, monkeypatch, caplog):
    given(monkeypatch, "proven")

    def refuse(*arguments):
        raise RuntimeError("nothing can be pasted today")

    monkeypatch.setattr("unhans.callbacks.closed_loop.Pasting.begin", refuse)
    audit = small(tmp_path, on_error="log")
    plain = weights(trained(tmp_path / "plain", [], 1))
    with caplog.at_level(logging.ERROR, "unhans"):
        trainer = trained(tmp_path, [audit], 1)
    assert same(plain, weights(trainer))
    assert audit.failures == 1
    assert audit.followed == []
    assert record(tmp_path)["decisions"][-1]["trouble"] == "nothing can be pasted today"
    assert decision_reason(audit.decisions[-1]) == "proven, but acting on it failed: nothing can be pasted today"
    assert "acting on the artifact of class '1' failed; training goes on." in caplog.text
    with pytest.raises(RuntimeError, match="nothing can be pasted today"):
        trained(tmp_path, [small(tmp_path)], 1)


def test_a_failing_measurement_does_not_stop_training(tmp_path, monkeypatch, caplog):
    given(monkeypatch, "proven")

    def refuse(*arguments):
        raise RuntimeError("no measurement today")

    monkeypatch.setattr("unhans.repair.proven_artifact.ProvenArtifact.measure", refuse)
    audit = small(tmp_path, on_error="log")
    with caplog.at_level(logging.ERROR, "unhans"):
        assert trained(tmp_path, [audit], 2).current_epoch == 2
    assert audit.failures == 1
    assert "measuring the artifact of class '1' again failed; training goes on." in caplog.text


def test_what_is_not_sure_enough_among_all_is_not_acted_on(tmp_path, monkeypatch):
    case = replace(CASES["proven"], proof=proof_of(WEAK))
    assert case.proven
    monkeypatch.setattr(audited_class, "examine_class", Given(CASES["too few"], case))
    audit = small(tmp_path)
    trained(tmp_path, [audit], 2)
    told = [each for each in audit.decisions if each.label == 1]
    assert [(each.done, each.reason) for each in told] == [
        ("did not act", "too few samples"), ("did not act", "multiplicity"),
    ]  # fmt: skip
    assert "not sure enough among all that was tested" in decision_reason(told[1])
    assert told[1].q_value > told[1].rate == pytest.approx(0.05 / 6)
    written = json.loads((tmp_path / "audit" / "epoch_001" / "cases.json").read_text())
    assert [each["reason"] for each in written] == ["multiplicity"]
    assert not audit.cases[1].proven


def test_acting_in_several_processes_is_refused(tmp_path):
    audit = small(tmp_path)
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, default_root_dir=tmp_path)
    with pytest.raises(MisconfigurationException, match="act='augment' needs one process, got 2; act='none' tells"):
        audit.on_fit_start(trainer, TheirModule())
    small(tmp_path, act="none").on_fit_start(trainer, TheirModule())


def test_layers_and_networks_that_a_clarc_cannot_use_are_refused_before_training(tmp_path):
    with pytest.raises(MisconfigurationException, match=r"UnHans: .*'9'"):
        train(TheirModule(), [small(tmp_path, act="a_clarc", layer="9")], tmp_path)
    with pytest.raises(MisconfigurationException, match="UnHans: layer expects feature maps"):
        train(TheirModule(), [small(tmp_path, act="a_clarc", layer="6")], tmp_path)
    with pytest.raises(MisconfigurationException, match="not compiled"):
        train(TheirModule(compiled=True), [small(tmp_path, act="a_clarc")], tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"act": "paste"}, "act expects 'augment', 'a_clarc', 'none', got 'paste'"),
        ({"patience": 0}, "patience expects 1 or more, got 0"),
        ({"verify": False}, "verify expects True"),
    ],
)
def test_knobs_are_checked_at_once(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        UnHans(**options)


def test_a_second_fit_begins_with_nothing_proven(tmp_path, monkeypatch):
    """Another trainer and another network: what the first one's audits proved says nothing about it."""
    given(monkeypatch, "proven", "not used")
    audit = small(tmp_path, act="augment")
    trained(tmp_path, [audit], max_epochs=1)
    assert [each.done for each in audit.decisions] == ["acted"]
    trained(tmp_path, [audit], max_epochs=1)
    assert [each.done for each in audit.decisions] == ["did not act"]
    assert audit.followed == audit.remedy.callbacks == []
