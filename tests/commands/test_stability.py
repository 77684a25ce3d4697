"""`analyze.py analysis=stability`: its numbers, that heatmaps are made once, that it goes on, and what it refuses."""

from __future__ import annotations

import csv

import pytest
from running import RANDOM, command

from unhans.experiment.stability import stability_run
from unhans.experiment.survey import explanation
from unhans.spray import LAYOUTS, SpRAy, agreement, fit_class
from unhans.store.virelay import class_files, open_maps

DIGITS = f"data=digits artifact=none {RANDOM} data.classes=[1,2,3] data.image_size=16 samples_per_class=24"
PLAIN = f"analyze.py {DIGITS} parallel.n_jobs=1 device=cpu out=out spray.projection=null spray.n_clusters._args_=[2,4]"
VARY = "analysis.vary={n_neighbors:[5,log],pooling:[4,20,null],random_state:[1]}"
SMALL = f"{PLAIN} analysis=stability ~analysis.vary +{VARY} analysis.first=2"
KEPT = ["reference", "n_neighbors=5", "n_neighbors=log", "pooling=4", "random_state=1"]  # 20 and null are as 28


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def work(monkeypatch):
    """What is explained and clustered, by class."""
    seen, explain, fit = [], explanation.explain_class, stability_run.fit_stored

    def explained(survey, label, *given):
        seen.append(f"heatmaps {label}")
        return explain(survey, label, *given)

    def fitted(job):
        seen.append(f"{job.label} {job.setting}")
        return fit(job)

    monkeypatch.setattr(explanation, "explain_class", explained)
    monkeypatch.setattr(stability_run, "fit_stored", fitted)
    return seen


def test_numbers_files_and_going_on(tmp_path, work, capsys, monkeypatch):
    monkeypatch.setattr("unhans.spray.projection.umap_points", lambda embedding, seed, **settings: embedding[:, 1:3])
    assert command(tmp_path, f"{SMALL} logger=csv analysis.maps=1") == 0
    said, out = " ".join(capsys.readouterr().out.split()), tmp_path / "out"
    assert work[:3] == ["heatmaps 0", "heatmaps 1", "heatmaps 2"]
    assert sorted(work[3:]) == sorted(f"{label} {name}" for label in range(3) for name in KEPT)
    assert "pooling=20 is left out: for these classes and heatmaps it is the same as reference." in said
    assert "3 classes with 5 settings: 15 clusterings; heatmaps are made once." in said

    maps = table(out / "stability_map_quality.csv")
    assert [(row["projection"], row["projection_of"]) for row in maps] == [*LAYOUTS]
    assert len({row["class"] for row in maps}) == 1
    assert all(0 <= float(row["overlap"]) <= 1 for row in maps)
    assert (out / "stability_maps.png").is_file()

    rows = {(row["class"], row["setting"]): row for row in table(out / "stability_classes.csv")}
    stored = open_maps(class_files(out, 1, "2")).maps
    options = {"n_clusters": [2, 3], "pooling": 28}
    own, other = (fit_class(SpRAy(**options, n_neighbors=k), stored) for k in (10, 5))
    row = rows["2", "n_neighbors=5"]
    assert (float(row["lambda_2"]), float(row["tau"])) == (pytest.approx(other.lambda_2), pytest.approx(other.tau))
    assert float(row["ari"]) == pytest.approx(agreement(own, other).ari)
    assert int(row["group_size"]) == other.group.sum()
    assert len(rows) == 15
    ranked = sorted("123", key=lambda name: float(rows[name, "reference"]["lambda_2"]))
    assert [int(rows[name, "reference"]["place_by_lambda_2"]) for name in ranked] == [1, 2, 3]
    settings = table(out / "stability_settings.csv")
    assert [row["setting"] for row in settings] == KEPT[1:]
    assert float(settings[-1]["spearman_lambda_2"]) == pytest.approx(1)  # a seed changes no eigenvalue
    findings = table(out / "stability_findings.csv")
    assert [row["class"] for row in findings] == ranked[:2]
    assert all(row["sentence"] in said for row in findings)
    assert (out / "stability.png").stat().st_size > 10_000
    assert (out / "stability_places.png").stat().st_size > 10_000

    del work[:]
    (out / "stability" / "0001-2.npz").unlink()
    more = SMALL.replace("random_state:[1]", "random_state:[1,2]")
    assert command(tmp_path, more) == 0
    again = [f"1 {name}" for name in KEPT] + [f"{label} random_state=2" for label in range(3)]
    assert sorted(work) == sorted(again)  # what is finished stays, and no heatmap is made again
    now = {(row["class"], row["setting"]): row for row in table(out / "stability_classes.csv")}
    assert rows == {key: now[key] for key in rows}
    assert "18 clusterings, 10 of them finished before" in " ".join(capsys.readouterr().out.split())


def test_heatmaps_are_shared_with_the_survey_in_the_same_folder(tmp_path, work, capsys):
    """That of one class, whose order says nothing; a file of an earlier run that is cut is done again."""
    tiny = "analysis.classes=[1]"
    assert command(tmp_path, f"{PLAIN} analysis.control=false {tiny}") == 0
    (tmp_path / "out" / "stability").mkdir()
    (tmp_path / "out" / "stability" / "0000-1.npz").write_bytes(b"PK cut")
    assert command(tmp_path, f"{SMALL} {tiny}") == 0
    assert sorted(work) == sorted(f"0 {name}" for name in KEPT)
    assert "With 1 classes there is no order to compare" in " ".join(capsys.readouterr().out.split())


def test_a_class_that_is_too_small_for_a_setting_is_counted_and_said(tmp_path, capsys):
    few = SMALL.replace("samples_per_class=24", "samples_per_class=12").replace(
        "n_neighbors:[5,log]", "n_neighbors:[12]"
    )
    assert command(tmp_path, few) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "3 clusterings have no result; the first is class 1 with n_neighbors=12: n_neighbors=12 must be" in said
    assert "not clustered with n_neighbors=12" in said
    refused = [row for row in table(tmp_path / "out" / "stability_classes.csv") if row["refused"]]
    assert [row["setting"] for row in refused] == ["n_neighbors=12"] * 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("+analysis.vary={neighbours:[5]}", "analysis.vary expects parameters of SpRAy that change its groups"),
        ("+analysis.vary={n_neighbors:10}", "analysis.vary holds no value that the setting does not have already"),
        ("+analysis.vary={n_neighbors:[lag]}", "n_neighbors must be a whole number from 1 up or \"log\", got 'lag'"),
        ("+analysis.vary={n_neighbors:null}", "analysis.vary holds no value that the setting does not have already"),
        (f"+{VARY} spray.n_neighbors=0", "n_neighbors must hold whole numbers from 1 up, got 0"),
        (f"+{VARY} analysis.by=score", "analysis.by='score': input should be 'lambda_2', 'tau' or 'cut'"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_written(tmp_path, work, capsys, options, sentence):
    assert command(tmp_path, f"{PLAIN} analysis=stability ~analysis.vary {options}") == 1
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert work == []
    assert not (tmp_path / "out" / "stability").exists()
