"""What all tested artifacts come to: tables, files, numbers, and what a logger gets."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from experiment_cases import CLASSES, LABEL, LISTED, bench, dataset, measured, troubled
from PIL import Image
from pytorch_lightning.loggers import CSVLogger, WandbLogger

from unhans.experiment.cases import case_files, load_case, save_case
from unhans.experiment.effect.effect_command import by_class, conclude, numbers_of, settle_verdicts, states_of
from unhans.experiment.survey import ClassResult, overview
from unhans.experiment.survey.survey import save_result
from unhans.harness import compare_with_planted, planted_in
from unhans.report.loggers import finish
from unhans.report.tables import effect_rows
from unhans.report.tables.class_states import LEFT_OUT
from unhans.report.text import truth_sentence
from unhans.store.virelay import class_files

KEY = {"model": "weights"}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A proven case, and one of which nothing could be isolated."""
    folder, images = tmp_path_factory.mktemp("done"), dataset()
    case = measured(images)
    truth = compare_with_planted(bench(images), case, planted_in(images), LISTED)
    first = save_case(case_files(folder, LABEL, CLASSES[LABEL]), case, truth, CLASSES, None, KEY)
    other = replace(troubled(), label=0, name=CLASSES[0])
    return [first, save_case(case_files(folder, 0, CLASSES[0]), other, None, CLASSES, None, KEY)]


def states(done):
    """The classes of these cases, and one that was too small."""
    findings = [
        ClassResult(LABEL, CLASSES[LABEL], seconds=1.25),
        ClassResult(2, CLASSES[2], refused="it has 3 samples"),
    ]
    return states_of([], done, findings)


def test_every_class_is_listed_with_its_seconds(done, tmp_path, capsys):
    timed = [replace(done[0], seconds=7.5), done[1]]
    conclude(tmp_path, timed, states(timed), samples=30)
    with (tmp_path / "classes.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["state"]) for row in rows] == [
        ("<b>bee</b>", "proven"),
        ("ant", "open"),
        ("cat", "not tested"),
    ]
    assert [(row["audit_seconds"], row["test_seconds"]) for row in rows] == [("1.25", "7.5"), ("", "0.0"), ("0.0", "")]
    assert (rows[1]["reason"], rows[2]["missing"]) == ("not isolated", "it has 3 samples")
    assert rows[1]["missing"]
    printed = " ".join(capsys.readouterr().out.split())
    assert "Of 3 classes 1 is proven, 1 is open, 1 is not tested." in printed


def test_classes_beyond_those_allowed_are_listed_as_not_tested(done):
    ranking = [SimpleNamespace(label=label, name=CLASSES[label]) for label in (LABEL, 0, 2)]
    found = states_of(ranking, done, [])
    assert [one.state for one in found] == ["proven", "open", "not tested"]
    assert found[2].missing == LEFT_OUT


def test_what_is_proven_of_a_class_is_what_is_said_of_it(done):
    """The artifact that does most may be left open among many tests, and another stay proven."""
    lonely = replace(done[1], case=replace(done[1].case, label=LABEL, name=CLASSES[LABEL]))
    assert [one.state for one in states_of([], [lonely, done[0]], [])] == ["proven"]
    assert by_class([lonely, done[0]])[LABEL] == [done[0], lonely]


def test_settled_verdicts_hold_among_all_tests(tmp_path):
    """Two cases that are not proven count as tests, and take the proof from one that was proven alone."""
    case = measured()
    weak = replace(case.proof.verdict, p_value=0.04)
    case = replace(case, proof=replace(case.proof, verdict=weak))
    blank = replace(weak, name="open", reason="neither shown nor excluded", p_value=0.9, q_value=1.0)
    cases = [
        case,
        *(replace(case, label=0, name=CLASSES[0], proof=replace(case.proof, verdict=blank)) for _ in range(2)),
    ]
    files = [case_files(tmp_path, one.label, one.name, rank) for rank, one in enumerate(cases)]
    done = [save_case(file, one, None, CLASSES, None, KEY) for file, one in zip(files, cases, strict=True)]
    alone, among = settle_verdicts(done[:1], {}), settle_verdicts(done, {})
    assert alone[0].case.proven
    assert (among[0].case.proof.verdict.name, among[0].case.proof.verdict.reason) == ("open", "multiplicity")
    assert among[0].case.proof.verdict.tests == 3
    assert load_case(files[0], KEY).case.proof.verdict == among[0].case.proof.verdict
    assert settle_verdicts([replace(done[0], case=among[0].case)], {})[0].case.proven


def test_tables_numbers_and_sentences_are_written_and_printed(done, tmp_path, capsys):
    conclude(tmp_path, done, states(done), samples=500)
    with (tmp_path / "effects.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(effect_rows([one.case for one in done]).rows)
    assert [row["verdict"] for row in rows if row["verdict"]] == ["proven", "open"]
    first, second = json.loads((tmp_path / "effects.json").read_text(encoding="utf-8"))
    assert first["planted"]["sentence"] == truth_sentence(done[0].truth)
    assert second["planted"] is None
    printed = " ".join(capsys.readouterr().out.split())
    assert " ".join(truth_sentence(done[0].truth).split()) in " ".join(printed.split())
    assert "There are 30 samples of other classes for '<b>bee</b>', fewer than the 500 asked for" in printed


def test_every_class_with_fewer_samples_is_named(done, tmp_path, capsys):
    of_cat = replace(done[0], case=replace(done[0].case, label=2, name="cat"))
    conclude(tmp_path, [done[0], of_cat], states([]), samples=31)
    assert "for '<b>bee</b>', 'cat', fewer than the 31 asked for" in " ".join(capsys.readouterr().out.split())
    conclude(tmp_path, [done[0], of_cat], states([]), samples=30)
    assert "asked for" not in capsys.readouterr().out


def test_numbers_for_a_sweep(done):
    numbers = numbers_of(done)
    effect = done[0].case.proof.added[0].effect
    assert (numbers["cases"], numbers["proven"]) == (2, 1)
    assert numbers["effect/<b>bee<_b>/delta_p"] == effect.probability
    assert numbers["effect/<b>bee<_b>/proven"] == 1
    assert not any("ant" in name for name in numbers)
    assert list(by_class(done)) == [LABEL, 0]


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
        conclude(wandb_folder, done, states(done), samples=30, logger=logger)
    finally:
        finish([logger])
    (folder,) = wandb_folder.glob("wandb/offline-run-*/files")
    tables = {path.name.split("_")[0]: json.loads(path.read_text()) for path in folder.rglob("*.table.json")}
    assert set(tables) == {"cases", "trials", "carriers", "classes"}
    assert [row[1:3] for row in tables["classes"]["data"]] == [
        ["<b>bee</b>", "proven"],
        ["ant", "open"],
        ["cat", "not tested"],
    ]
    assert [row[:2] for row in tables["cases"]["data"]] == [["<b>bee</b>", "proven"], ["ant", "open"]]
    assert tables["cases"]["columns"][-2:] == ["layer picture", "examples"]
    (pictures, empty) = [row[-2:] for row in tables["cases"]["data"]]
    assert pictures == ["Image", "Image"] or all(cell["_type"] == "image-file" for cell in pictures)
    assert empty == [None, None]
    assert len(tables["trials"]["data"]) == len(effect_rows([one.case for one in done]).rows)
    images = [path for path in (folder / "media" / "images").rglob("*.*") if path.suffix in (".png", ".jpg")]
    sizes = sorted(Image.open(path).size for path in images)
    assert sizes == sorted(Image.open(done[0].pictures[name]).size for name in ("layer", "effect", "examples"))


def test_another_logger_gets_the_numbers(done, tmp_path):
    logger = CSVLogger(tmp_path)
    conclude(tmp_path, done, states(done), samples=30, logger=logger)
    finish([logger])
    (path,) = tmp_path.rglob("metrics.csv")
    with path.open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["proven"]) == 1
    assert float(row["effect/<b>bee<_b>/delta_p"]) == pytest.approx(done[0].case.proof.added[0].effect.probability)


# What a later survey keeps -------------------------------------------------------------------------------------------


def surveyed(folder, key):
    """A survey whose classes are finished with this key."""
    ranking = [SimpleNamespace(label=label, name=CLASSES[label], n=90) for label in (LABEL, 0)]
    for entry in ranking:
        save_result(class_files(folder, entry.label, entry.name), ClassResult(entry.label, entry.name), key)
    return SimpleNamespace(out=folder, files=lambda label: class_files(folder, label, CLASSES[label])), ranking


def test_a_later_survey_keeps_what_was_proven_of_the_same_clusters(done, tmp_path):
    case, lonely = done[0].case, done[1].case
    kept = save_case(case_files(tmp_path, LABEL, CLASSES[LABEL]), case, None, CLASSES, None, KEY | {"effect": {"n": 1}})
    save_case(case_files(tmp_path, 0, CLASSES[0]), lonely, None, CLASSES, None, {"model": "another"})
    survey, ranking = surveyed(tmp_path, KEY)
    earlier, left = overview.earlier_proofs(survey, ranking)
    assert [[one.files for one in tested] for tested in earlier.values()] == [[kept.files]]
    assert (list(earlier), left) == ([LABEL], 1)
    (said,) = overview.remarks(survey, ranking)
    assert said.startswith(f"1 of the artifacts in {tmp_path / 'artifacts'} did not come from these heatmaps")
    assert list(overview.remarks(*surveyed(tmp_path / "other", KEY))) == []
