"""What all tested artifacts come to: tables, files, numbers, and what a logger gets."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from experiment_cases import CLASSES, LABEL, LISTED, bench, dataset, measured, troubled
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from unhans.data import planted_in
from unhans.experiment import overview
from unhans.experiment.case_files import case_files, save_case
from unhans.experiment.finding import Finding, save_finding
from unhans.experiment.known import known
from unhans.experiment.outcome import conclude, numbers_of, sections
from unhans.report import effect_rows, finish
from unhans.report.wandb_logger import WandbLogger
from unhans.store import class_files

KEY = {"model": "weights"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A proven case, and one of which nothing could be isolated."""
    folder, images = tmp_path_factory.mktemp("done"), dataset()
    case = measured(images)
    truth = known(bench(images), case, planted_in(images), LISTED)
    first = save_case(case_files(folder, LABEL, CLASSES[LABEL]), case, truth, CLASSES, None, KEY)
    other = replace(troubled(), label=0, name=CLASSES[0])
    return [first, save_case(case_files(folder, 0, CLASSES[0]), other, None, CLASSES, None, KEY)]


def test_tables_numbers_and_sentences_are_written_and_printed(done, tmp_path, capsys):
    conclude(tmp_path, done, samples=500)
    with (tmp_path / "effects.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(effect_rows([one.case for one in done]))
    assert [row["verdict"] for row in rows if row["verdict"]] == ["proven", "open"]
    first, second = json.loads((tmp_path / "effects.json").read_text(encoding="utf-8"))
    assert first["planted"]["sentence"] == done[0].truth.sentence
    assert second["planted"] is None
    printed = " ".join(capsys.readouterr().out.split())
    assert " ".join(done[0].truth.sentence.split()) in " ".join(printed.split())
    assert "There are 30 validation samples of other classes for '<b>bee</b>', fewer than the 500 asked for" in printed


def test_numbers_for_a_sweep(done):
    numbers = numbers_of(done)
    effect = done[0].case.proof.added[0].effect
    assert (numbers["cases"], numbers["proven"]) == (2, 1)
    assert numbers["effect/<b>bee</b>/delta_p"] == effect.probability
    assert numbers["effect/<b>bee</b>/proven"] == 1
    assert not any("ant" in name for name in numbers)
    assert list(sections(done)) == [LABEL, 0]
    assert sections([done[0], done[0]])[LABEL] == 2 * done[0].section


@pytest.fixture
def wandb_folder(tmp_path, monkeypatch):
    """An offline run that has got the outcome and is over; pictures of tables wait for their upload in there too."""
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_wandb_gets_both_tables_and_every_figure(done, wandb_folder):
    logger = WandbLogger(save_dir=wandb_folder, mode="offline", project="test")
    try:
        conclude(wandb_folder, done, samples=30, logger=logger)
    finally:
        finish([logger])
    (folder,) = wandb_folder.glob("wandb/offline-run-*/files")
    tables = {path.name.split("_")[0]: json.loads(path.read_text()) for path in folder.rglob("*.table.json")}
    assert set(tables) == {"cases", "trials"}
    assert [row[:2] for row in tables["cases"]["data"]] == [["<b>bee</b>", "proven"], ["ant", "open"]]
    assert tables["cases"]["columns"][-2:] == ["layer picture", "examples"]
    (pictures, empty) = [row[-2:] for row in tables["cases"]["data"]]
    assert pictures == ["Image", "Image"] or all(cell["_type"] == "image-file" for cell in pictures)
    assert empty == [None, None]
    assert len(tables["trials"]["data"]) == len(effect_rows([one.case for one in done]))
    images = [path for path in (folder / "media" / "images").rglob("*.*") if path.suffix in (".png", ".jpg")]
    sizes = sorted(Image.open(path).size for path in images)
    assert sizes == sorted(Image.open(done[0].pictures[name]).size for name in ("layer", "effect", "examples"))


def test_another_logger_gets_the_numbers(done, tmp_path):
    logger = CSVLogger(tmp_path)
    conclude(tmp_path, done, samples=30, logger=logger)
    finish([logger])
    (path,) = tmp_path.rglob("metrics.csv")
    with path.open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["proven"]) == 1
    assert float(row["effect/<b>bee</b>/delta_p"]) == pytest.approx(done[0].case.proof.added[0].effect.probability)


# What a later survey keeps -------------------------------------------------------------------------------------------


def surveyed(folder, key):
    """A survey whose classes are finished with this key."""
    ranking = [SimpleNamespace(label=label, name=CLASSES[label], n=90) for label in (LABEL, 0)]
    for entry in ranking:
        save_finding(class_files(folder, entry.label, entry.name), Finding(entry.label, entry.name), key)
    return SimpleNamespace(out=folder, files=lambda label: class_files(folder, label, CLASSES[label])), ranking


def test_a_later_survey_keeps_what_was_proven_of_the_same_clusters(done, tmp_path):
    case, lonely = done[0].case, done[1].case
    kept = save_case(case_files(tmp_path, LABEL, CLASSES[LABEL]), case, None, CLASSES, None, KEY | {"effect": {"n": 1}})
    save_case(case_files(tmp_path, 0, CLASSES[0]), lonely, None, CLASSES, None, {"model": "another"})
    survey, ranking = surveyed(tmp_path, KEY)
    assert overview.earlier_proofs(survey, ranking) == ({LABEL: kept.section}, 1)
    (said,) = overview.remarks(survey, ranking)
    assert said.startswith(f"1 of the artifacts in {tmp_path / 'artifacts'} did not come from these heatmaps")
    assert list(overview.remarks(*surveyed(tmp_path / "other", KEY))) == []
