"""The report of a training run: the newest finished audit of every class, and what was proven."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from experiment_cases import CLASSES, LABEL, LISTED, SIDE, audit_of, dataset, measured, network, troubled
from rich.console import Console

from unhans.attribution import Relevance
from unhans.experiment.train import training_results
from unhans.experiment.train.training_results import Pictures, newest_audit, write_run_report, write_verdicts
from unhans.harness import bench_of
from unhans.report.html import CaseSection
from unhans.report.text import failures_sentence
from unhans.spray import suspicion_of
from unhans.store import file_stem
from unhans.store.virelay import save_audit


def epoch(folder, number, *audits, finished=True):
    """The files that an audit leaves."""
    folder = folder / f"epoch_{number:03d}"
    folder.mkdir(parents=True)
    for audit in audits:
        save_audit(folder / f"{file_stem(audit.label, audit.name)}.h5", audit)
    if finished:
        (folder / "ranking.csv").write_text(f"ranking of epoch {number}\n")
        (folder / "suspects.csv").write_text("path\n")


@pytest.fixture
def audits(tmp_path):
    """Both classes in epoch 2, one of them in epoch 10; the audit of epoch 11 failed."""
    folder = tmp_path / "audit"
    epoch(folder, 2, audit_of(0, seed=20), audit_of(LABEL, seed=21))
    epoch(folder, 10, audit_of(LABEL, seed=101))
    epoch(folder, 11, audit_of(0, seed=110), finished=False)
    return folder


def ranking():
    return [suspicion_of(audit_of(label)) for label in (LABEL, 0)]


def test_the_newest_finished_audit_of_a_class_is_read(audits):
    assert newest_audit(audits, LABEL, CLASSES[LABEL]).description == "LRP 101"
    assert newest_audit(audits, 0, CLASSES[0]).description == "LRP 20"
    with pytest.raises(FileNotFoundError):
        newest_audit(audits, 2, CLASSES[2])


def test_a_class_that_only_a_failed_audit_reached_is_read_from_there(audits):
    epoch(audits, 12, audit_of(2, seed=120), finished=False)
    assert newest_audit(audits, 2, CLASSES[2]).description == "LRP 120"
    assert newest_audit(audits, 0, CLASSES[0]).description == "LRP 20"


def test_the_page_holds_every_class_the_lists_and_the_proofs(audits, tmp_path):
    path = tmp_path / "report.html"
    write_run_report(path, audits, dataset(), ranking(), "Is it?", {LABEL: CaseSection(troubled())})
    page = path.read_text(encoding="utf-8")
    assert "<title>Is it?</title>" in page
    assert "epoch 010" in page
    assert "ranking of epoch 10" in page
    assert '<template class="proof" data-label="1"><section class="case" data-verdict="open"' in page
    assert "&lt;b&gt;bee" in page or "\\u003cb" in page
    assert "<b>bee</b>" not in page
    assert 'src="http' not in page


def test_pictures_are_read_one_by_one_as_a_person_sees_them():
    images = dataset()
    pictures = Pictures(images, LISTED)
    assert len(pictures) == len(LISTED)
    assert pictures[3].shape == (3, SIDE, SIDE)
    assert torch.equal(pictures[3], images.plain(int(LISTED[3])))
    assert 0 <= pictures[3].min() <= pictures[3].max() <= 1


# The verdicts at the end of a run ------------------------------------------------------------------------------------


def run_of(folder, cases):
    """A finished `SpRAyAudit`, as far as its run's end needs one."""
    images = dataset()
    return SimpleNamespace(
        cases=cases, folder=folder, dataset=images, ranking=ranking(), seconds={"audit": {LABEL: 1.0}, "test": {}},
        source="val", bench=lambda network: bench_of(network, images, Relevance(), batch_size=16),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def console(tmp_path, monkeypatch):
    """Where it is printed."""
    found = Console(width=100, record=True, file=(tmp_path / "log").open("w"))
    monkeypatch.setattr(training_results, "CONSOLE", found)
    return found


def ended(audits, tmp_path, cases):
    numbers = write_verdicts(run_of(audits, cases), network(), SimpleNamespace(classes=CLASSES), tmp_path)
    printed = training_results.CONSOLE.export_text()
    return numbers, printed, (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_proven_case_is_printed_written_and_held_against_the_planted_artifact(audits, tmp_path):
    numbers, printed, page = ended(audits, tmp_path, {LABEL: measured()})
    assert "validation images · " in page
    assert numbers["audit/proven"] == 1
    assert numbers["planted/within"] == 1
    assert numbers["planted/iou"] == pytest.approx(1)
    assert numbers["planted/right"] == numbers["planted/found"] > 0
    assert f"Class {CLASSES[LABEL]}: proven" in printed
    labels = [line.split()[0] for line in printed.splitlines() if line[:2] == "  " and line[2:3].strip()]
    assert labels == ["Verdict", "Effect", "Controls", "Removal", "Reliance", "Test", "Spread", "Truth"]
    assert "IoU of 1.00" in " ".join(printed.split())
    assert 'class="case" data-verdict="proven"' in page
    assert "Beside the planted artifact" in page


def test_a_case_of_which_nothing_was_isolated_says_why(audits, tmp_path):
    case = troubled()
    numbers, printed, page = ended(audits, tmp_path, {LABEL: case})
    assert numbers == {"audit/proven": 0}
    assert f"Class {CLASSES[LABEL]}: open (not isolated)" in printed
    assert failures_sentence(case.failures).lower() in " ".join(printed.split()).lower()
    assert 'data-verdict="open"' in page


def test_where_no_audit_came_to_its_end_there_is_no_report_and_it_is_said(tmp_path, console):
    epoch(tmp_path / "audit", 0, audit_of(LABEL), finished=False)
    audit = run_of(tmp_path / "audit", {LABEL: troubled()})
    assert write_verdicts(audit, network(), SimpleNamespace(classes=CLASSES), tmp_path) == {}
    assert "No audit came to its end" in console.export_text()
    assert not (tmp_path / "report.html").exists()


def test_without_suspicions_the_report_is_written_all_the_same(audits, tmp_path):
    numbers, printed, page = ended(audits, tmp_path, {})
    assert numbers == {"audit/proven": 0}
    assert "report.html" in printed
    assert "<template class=" not in page
    assert np.isfinite(list(numbers.values())).all()
