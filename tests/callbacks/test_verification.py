"""SpRAyAudit that tests what it suspects: proven, or not, and why."""

from __future__ import annotations

import json
import logging
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from callbacks_training import KeepingLogger, Still, TheirModule, small_spray, train
from PIL import Image
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.data import TensorDataset
from unhans.callbacks import SpRAyAudit

from unhans.effects import Bench, Case, Effect
from unhans.harness import AuditClock, ClassRecord, ClassRecords, audited_class
from unhans.harness.audited_class import remember_images
from unhans.isolation import Failure
from unhans.report.text import findings
from unhans.report.text.audit_text import numbers, outcome
from unhans.spray import Suspicion

FAILURES = (Failure("parts disagree"),)


class Counted(Still):
    """Counts how often each image is read."""

    def __init__(self):
        super().__init__()
        self.read = np.zeros(32, dtype=int)

    def __getitem__(self, index):
        self.read[index] += 1
        return super().__getitem__(index)


class Marked(Still):
    """Eighty images in each class; half of the second carry a cross in a corner."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.images = 0.7 * torch.rand(160, 1, 16, 16, generator=generator)
        self.targets = torch.arange(160) % 2
        self.images[1::4, :, :6, :6] = torch.eye(6).maximum(torch.eye(6).flip(0))


def verifying(folder, **options):
    defaults = {"network": "net", "spray": small_spray(), "folder": folder / "audit", "control": False}
    return SpRAyAudit(**(defaults | {"on_error": "raise", "verify": True, "verify_samples": 8} | options))


def test_a_real_artifact_is_isolated_tested_written_and_logged(tmp_path, capsys):
    torch.manual_seed(1)
    audit, logger = verifying(tmp_path, dataset=Marked(), every_n_epochs=8, verify_samples=60), KeepingLogger(tmp_path)
    train(TheirModule(), [audit], tmp_path, max_epochs=8, logger=logger, data=Marked())
    case = audit.cases[1]
    assert case.isolated.kind == "fixed"
    sent = pickle.loads(pickle.dumps(case))  # processes send each other their cases
    assert sent.proof.verdict == case.proof.verdict
    assert (audit.samples_of(1)[case.isolated.members] % 4 == 1).all()  # those with the cross
    assert case.isolated.members.sum() >= 37
    covered = case.isolated.layers[0][3] > 0.5
    assert covered[:6, :6].float().mean() > 0.7
    assert covered.sum() < 60
    effect = case.proof.added[0].effect
    assert effect.n == 54  # of 80 others; a third was to choose on
    assert effect.probability > 0.2
    folder = tmp_path / "audit" / "epoch_007"
    files = {path.name for path in folder.iterdir()}
    assert {"0001-1-layer.jpg", "0001-1-effect.png", "0001-1-examples.jpg", "cases.json", "effects.csv"} <= files
    assert [path for path in folder.glob("0001-1-*.png") if Image.open(path).mode == "RGBA" and "layer" in path.name]
    assert {each["label"] for each in json.loads((folder / "cases.json").read_text())} == set(audit.cases)
    (logged,) = logger.calls_with("audit/")
    assert logged["audit/1/delta_p"] == effect.probability
    assert logged["audit/1/delta_p_low"] < effect.probability < logged["audit/1/delta_p_high"]
    assert logged["audit/1/proven"] == 1.0
    assert f"proven: 1 (Δp {effect.probability:+.3f} [" in capsys.readouterr().out


class Examined:
    """Stands for `examine_class`: keeps what it was asked and gives the case it is told to, or raises."""

    def __init__(self, error=None):
        self.asked, self.error = [], error

    def __call__(self, bench, sample, candidates, plan, others, **options):
        asked = {"bench": bench, "plan": plan, "others": others, "members": candidates[0].members}
        self.asked.append(SimpleNamespace(**vars(sample), **asked))
        if self.error is not None:
            raise self.error
        return [Case(sample.label, sample.name, sample.suspicion, failures=FAILURES)]


@pytest.fixture
def examined(monkeypatch):
    fake = Examined()
    monkeypatch.setattr(audited_class, "examine_class", fake)
    return fake


def test_images_of_a_class_are_read_once(tmp_path, examined):
    dataset = Counted()
    audit = verifying(tmp_path, dataset=dataset)
    dataset_read = []

    class Epochs(TheirModule):
        def on_train_epoch_start(self):
            dataset_read.append(dataset.read.copy())

    train(Epochs(), [audit], tmp_path, max_epochs=2)
    assert set(dataset_read[1] - dataset_read[0]) == {1}
    (asked, *_) = examined.asked
    dataset.read[:] = 0
    images, kept = asked.bench.read(asked.index[[2, 0]])
    assert torch.equal(images, asked.images[[2, 0]])
    assert kept.tolist() == asked.index[[2, 0]].tolist()
    assert dataset.read.sum() == 0


def test_what_is_asked(tmp_path, examined):
    audit = verifying(tmp_path, dataset=Counted(), most=1, verify_samples=5)
    train(TheirModule(), [audit], tmp_path, max_epochs=1)
    asked = examined.asked[0]
    assert [each.label for each in examined.asked] == [entry.label for entry in audit.ranking]  # all in the last epoch
    assert asked.label == max(audit.ranking, key=lambda entry: entry.score).label
    assert 0 <= asked.images.min() <= asked.images.max() <= 1
    assert (asked.bench.labels[asked.others] != asked.label).all()
    assert asked.plan.samples == 5
    assert sorted(asked.index[asked.members]) == sorted(audit.clusters[asked.label])
    assert sorted(audit.cases) == [0, 1]


def test_failing_to_isolate_is_no_failure_of_the_audit(tmp_path, examined, capsys):
    audit = verifying(tmp_path)
    train(TheirModule(), [audit], tmp_path, max_epochs=1)
    assert audit.failures == 0
    assert [case.failures for case in audit.cases.values()] == [FAILURES] * 2
    assert "open, nothing isolated: " in capsys.readouterr().out


def test_an_exception_is_a_failure_and_the_others_go_on(tmp_path, examined, caplog):
    examined.error = RuntimeError("no test today")
    audit = verifying(tmp_path, on_error="log")
    with caplog.at_level(logging.ERROR, "unhans"):
        trainer = train(TheirModule(), [audit], tmp_path)
    assert (trainer.current_epoch, audit.failures, audit.cases) == (2, 4, {})
    assert "testing class '1' failed; training goes on." in caplog.text
    assert (tmp_path / "audit" / "epoch_001" / "ranking.csv").is_file()
    with pytest.raises(RuntimeError, match="no test today"):
        train(TheirModule(), [verifying(tmp_path)], tmp_path)


def test_a_case_lasts_until_its_class_is_audited_again(tmp_path, examined, monkeypatch):
    audit = verifying(tmp_path)
    trainer = train(TheirModule(), [audit], tmp_path, max_epochs=1)
    assert sorted(audit.cases) == [0, 1]
    monkeypatch.setattr(ClassRecords, "due", lambda *arguments: [])
    trainer.fit_loop.max_epochs = 2
    trainer.fit(trainer.lightning_module, trainer.train_dataloader)
    assert audit.cases == {}


def test_the_share_of_time_is_kept(tmp_path, examined, monkeypatch):
    audit = verifying(tmp_path, max_share=0.5)
    monkeypatch.setattr(AuditClock, "allowance", lambda self: 1e5)
    monkeypatch.setattr(SpRAyAudit, "begin_run", lambda self: None)
    audit._cost["test"] = 1e6
    train(TheirModule(), [audit], tmp_path, max_epochs=1)
    assert audit.cases == {}
    assert audit.state_dict()["cost_of_case"] == 1e6


def test_images_without_a_scale_are_refused_before_training(tmp_path):
    dataset = TensorDataset(torch.ones(12, 1, 16, 16), torch.arange(12) % 2)
    with pytest.raises(MisconfigurationException, match="SpRAyAudit with verify: artifacts need images with finite"):
        train(TheirModule(), [verifying(tmp_path, dataset=dataset)], tmp_path)


@pytest.mark.parametrize("option", ["verify_samples", "most", "candidates", "tests"])
def test_knobs_are_checked_at_once(option):
    with pytest.raises(ValueError, match=f"{option} expects 1 or more, got 0"):
        SpRAyAudit(**{option: 0})


def test_classes_that_stand_out_are_tested_first_and_the_others_take_turns():
    ranking = [4, 2, 0, 1, 3]

    def due(most, last=False, **tested):
        records = {label: ClassRecord(last_test=tested.get(f"c{label}")) for label in ranking}
        return ClassRecords(records).due(ranking, most, last)

    assert due(None) == due(2, last=True) == due(9) == ranking
    assert due(3) == [4, 2, 0]
    assert due(3, c4=0, c2=0, c0=0) == [4, 2, 1]
    assert due(3, c4=1, c2=1, c0=0, c1=1) == [4, 2, 3]
    assert due(3, c4=2, c2=2, c0=0, c1=1, c3=2) == [4, 2, 0]


def suspicion(label, suspicious=True):
    return Suspicion(label, f"c{label}", 9, 1.0, 0.012, 2, 2.0, suspicious, 4, None, None)


def examined_case(label, name, reason=None):
    change = Effect(9, 0.5, (0.4, 0.6), 0.62, (0.57, 0.66), 1, (0, 2), 1, (0, 2))
    proof = SimpleNamespace(verdict=SimpleNamespace(name=name, reason=reason), added=(SimpleNamespace(effect=change),))
    return Case(label, f"c{label}", isolated=SimpleNamespace(), proof=proof)


def test_the_line_says_what_is_proven_and_why_others_are_not():
    ranking = [suspicion(3), suspicion(1), suspicion(2), suspicion(4), suspicion(5), suspicion(6, False)]
    cases = {
        3: examined_case(3, "proven"),
        1: Case(1, "c1", failures=FAILURES),
        2: examined_case(2, "not used"),
        4: examined_case(4, "open", "multiplicity"),
    }
    assert findings(ranking, cases, why={5: "no time"}) == (
        "proven: c3 (Δp +0.620 [+0.570, +0.660]); "
        "open: c4 (multiplicity: Δp +0.620 [+0.570, +0.660]); "
        "not used: c2; open, nothing isolated: c1; not tested, no time left: c5; not tested, not their turn: c6"
    )
    assert findings(ranking[:1], cases) == "proven: c3 (Δp +0.620 [+0.570, +0.660])"
    assert findings(ranking[5:], {}) == "proven: none; not tested, not their turn: c6"
    assert findings(ranking, {}, verified=False).startswith("standing out: c3, c1, c2, c4, c5 (")
    assert len(outcome(Case(1, "c", failures=FAILURES))) < 130
    assert numbers(cases[1]) == {"proven": 0.0}
    assert numbers(cases[3])["proven"] == 1.0


def test_a_bench_that_remembers_reads_only_the_others():
    asked = []

    def read(indices):
        asked.extend(indices.tolist())
        kept = np.array([i for i in indices if i != 5], dtype=np.int64)  # sample 5 cannot be read
        return torch.ones(len(kept), 3, 2, 2) * torch.tensor(kept).view(-1, 1, 1, 1), kept

    bench = Bench(None, None, read, np.zeros(9, dtype=np.int64), ["a"])
    memory = remember_images(bench, torch.full((2, 3, 2, 2), 0.5), np.array([4, 7]))
    images, kept = memory.read(np.array([7, 5, 2, 4]))
    assert kept.tolist() == [7, 2, 4]
    assert images[:, 0, 0, 0].tolist() == [0.5, 2, 0.5]
    assert asked == [5, 2]
    nothing, none = memory.read(np.array([5]))
    assert len(nothing) == len(none) == 0
