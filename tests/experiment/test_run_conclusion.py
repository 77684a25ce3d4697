"""What a training run leaves where its conclusion fails, and the numbers of its planted artifact."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from experiment_cases import LABEL, dataset, measured, network

from unhans.experiment.train import train_command
from unhans.experiment.train.train_command import Corrections, conclude
from unhans.experiment.train.training_results import planted_recovery
from unhans.report.html import Correction
from unhans.store import held


def fails(*_):
    raise RuntimeError("CUDA out of memory.")


@pytest.fixture
def concluded(tmp_path, monkeypatch):
    """Conclude a run whose audit found something; the functions that are named fail."""

    def conclude_with(*failing, on_error="log"):
        audit = SimpleNamespace(ranking=["something"], on_error=on_error)
        for name in ("planted_recovery", "planted_effect", "write_verdicts"):
            monkeypatch.setattr(train_command, name, fails if name in failing else lambda *_, name=name: {name: 1.0})
        monkeypatch.setattr(train_command, "audit_of", lambda trainer: audit)
        monkeypatch.setattr(train_command, "ranking_table", lambda ranking: "")
        trainer = SimpleNamespace(callback_metrics={"val/accuracy": torch.tensor(0.5)}, callbacks=[])
        data, classifier = SimpleNamespace(artifact="a border"), SimpleNamespace(model=None)
        return conclude(trainer, classifier, data, tmp_path, False)

    yield conclude_with
    assert json.loads((tmp_path / "results.json").read_text())["val/accuracy"] == 0.5


@pytest.mark.parametrize("failing", ["planted_effect", "write_verdicts"])
def test_the_numbers_of_a_run_outlive_what_it_is_concluded_with(failing, concluded, caplog):
    found = concluded(failing)
    assert set(found) == {"val/accuracy", "planted_recovery", "planted_effect", "write_verdicts"} - {failing}
    assert "CUDA out of memory." in caplog.text


def test_what_fails_is_raised_where_errors_are_to_be_but_not_before_the_numbers_are_written(concluded):
    with pytest.raises(RuntimeError, match="out of memory"):
        concluded("planted_effect", on_error="raise")


def corrections(tmp_path):
    return Corrections(SimpleNamespace(on_error="log"), network(), SimpleNamespace(several=False), tmp_path)


def test_a_network_that_cannot_be_corrected_leaves_the_report_of_the_others(tmp_path, monkeypatch):
    found = corrections(tmp_path)
    monkeypatch.setattr(found, "_outcomes", fails)
    assert found.correct(measured()) == Correction(error="CUDA out of memory.")


def test_the_folder_of_a_correction_that_is_in_use_keeps_its_configuration(tmp_path, monkeypatch):
    found, case = corrections(tmp_path), SimpleNamespace(proven=True, name="cat", label=0)
    vars(found.audit).update(attribution=None, batch_size=1, device_of=lambda network: "cpu", seed=0)
    for name in ("affected_by_case", "RepairTask"):
        monkeypatch.setattr(train_command, name, lambda *_: None)
    (tmp_path / "config.yaml").write_text("of the run: true")
    folder = tmp_path / "corrected" / "0000-cat"
    with held(folder):
        (folder / "config.yaml").write_text("mine: true")
        assert "is in use by another run" in found.correct(case).error
    assert (folder / "config.yaml").read_text() == "mine: true"


def test_the_first_class_gives_the_numbers_without_a_name_and_every_class_its_own(tmp_path, monkeypatch):
    found, value = corrections(tmp_path), iter((0.1, 0.2))
    outcome = SimpleNamespace(assessment=None, folder=tmp_path)
    monkeypatch.setattr(found, "_outcomes", lambda case: (outcome, outcome))
    monkeypatch.setattr(train_command, "numbers_of", lambda outcomes: {"p_clarc/effect": next(value)})
    for name in ("cat", "dog"):
        found.correct(SimpleNamespace(proven=True, name=name, label=0))
    assert found.numbers == {"p_clarc/effect": 0.1, "cat/p_clarc/effect": 0.1, "dog/p_clarc/effect": 0.2}


def test_recovery_is_that_of_the_carriers_among_the_images_that_were_audited():
    """Here those of validation: others than in training carry the artifact there, and only some were audited."""
    audited, carriers = dataset(), np.zeros(90, bool)
    carriers[[1, 4, 7, 10]] = True  # all of the second class
    audited.carriers, train_set = carriers, dataset()
    train_set.carriers = ~carriers
    audit = SimpleNamespace(
        ranking=[SimpleNamespace(label=0), SimpleNamespace(label=LABEL)],
        dataset=audited,
        clusters={LABEL: np.array([1, 4, 13, 16, 19])},
        samples_of=lambda label: np.array([1, 4, 7, 13, 16, 19]),
    )
    data = SimpleNamespace(artifact=audited.artifact, classes=audited.classes, train_set=train_set)
    found = planted_recovery(audit, data)
    assert found == {"planted/rank": 2, "planted/precision": 2 / 5, "planted/recall": pytest.approx(2 / 3)}
