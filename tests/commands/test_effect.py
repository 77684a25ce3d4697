"""`analyze.py analysis=effect`: from suspicion to verdict, what it writes, and what it says of bad input."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import RANDOM, command, only_run, photographs

from unhans.artifacts import Patch
from unhans.experiment.effect import effect_test as clustered
from unhans.experiment.effect import effect_test as proving
from unhans.isolation import Failure
from unhans.report.text.isolation_text import failure_said

SIDE = 32
PLANTED = f"data=digits data.image_size={SIDE} artifact=stripe artifact.target=3"
PLAIN = "spray.projection=null parallel.n_jobs=1 device=cpu"
QUICK = f"{PLAIN} analysis.classes=[3,7] analysis.samples=300"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The checkpoint of a run on ten digits, half of the threes with a red stripe along the lower rim."""
    folder = tmp_path_factory.mktemp("trained")
    text = f"train.py {PLANTED} artifact.val_coverage=0.5 callbacks=none logger=none trainer.max_epochs=6"
    assert command(folder, text) == 0
    return only_run(folder) / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def effects(trained, tmp_path_factory):
    """A finished run of the analysis."""
    folder = tmp_path_factory.mktemp("effects")
    assert command(folder, f"analyze.py ckpt={trained} analysis=effect {QUICK} out={folder / 'out'} logger=csv") == 0
    return folder / "out"


@pytest.fixture
def again(effects, tmp_path):
    """A copy of that run, to go on with."""
    return Path(shutil.copytree(effects, tmp_path / "out", copy_function=shutil.copy2))


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def records(out):
    return json.loads((out / "effects.json").read_text(encoding="utf-8"))


def of_three(out):
    """The artifact of the threes that does most."""
    return next(record for record in records(out) if record["class"] == "3")


def test_the_planted_artifact_is_isolated_and_proven(effects):
    found = of_three(effects)
    assert found["verdict"] == "proven"
    assert found["isolated"]["kind"] == "fixed"
    assert found["planted"]["iou"] >= 0.7
    added = found["added"][0]
    assert added["delta_p_low"] >= 0.05
    assert added["n"] == 300  # as asked for: validation samples, filled up with training samples


def test_the_true_artifact_has_the_effect_of_the_isolated_one(effects):
    found = of_three(effects)
    truth, added = found["planted"]["effect"], found["added"][0]
    assert truth["n"] == added["n"]
    low, high = truth["probability_interval"]
    assert found["planted"]["within"] == (low <= added["delta_p"] <= high)
    assert abs(truth["probability"] - added["delta_p"]) < 0.1


def test_the_true_removal_is_tried_beside_inpainting(effects):
    names = [trial["trial"] for trial in of_three(effects)["removed"]]
    assert names[0] == "telea"
    assert "truth" in names


def test_both_splits_are_looked_at(effects):
    train, val = of_three(effects)["spread"]
    assert (train["split"], val["split"]) == ("train", "val")
    assert train["by_cluster"] is not None
    assert val["by_cluster"] is None
    assert 0.8 <= train["by_matching"] / train["n"] * 2 <= 1.1
    assert 0.8 <= val["by_matching"] / val["n"] * 2 <= 1.1


def test_the_layer_can_be_planted_again(effects):
    found = Image.open(effects / "artifacts" / "0003-3-layer-rgba.png")
    assert (found.mode, found.size) == ("RGBA", (SIDE, SIDE))
    layer = Patch("3", effects / "artifacts" / "0003-3-layer-rgba.png", size=None, placement="top_left").layer(0, SIDE)
    alpha = layer[3].numpy()
    assert alpha[-2].mean() > 0.8
    assert alpha[:20].max() < 0.5


def test_the_report_leads_from_suspicion_to_verdict(effects):
    page = (effects / "report.html").read_text(encoding="utf-8")
    assert 'class="case" data-verdict="proven"' in page
    assert "Beside the planted artifact" in page
    assert 'src="http' not in page


def test_one_error_rate_holds_over_all_tests_and_every_file_says_so(effects):
    tested = [record for record in records(effects) if record["added"]]
    assert {record["tests"] for record in tested} == {len(tested)}
    marks = list((effects / "artifacts").rglob("*.json"))
    said = sorted((read["case"]["name"], read["case"]["proof"]["verdict"]["name"]) for read in map(mark_of, marks)
                  if read["case"]["proof"])  # fmt: skip
    assert said == sorted((record["class"], record["verdict"]) for record in tested)
    page = (effects / "report.html").read_text(encoding="utf-8")
    verdicts = [(mark_of(mark)["case"]["proof"] or {"verdict": {"name": "open"}})["verdict"]["name"] for mark in marks]
    assert sorted(re.findall('class="case" data-verdict="([^"]*)"', page)) == sorted(verdicts)


def mark_of(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_class_has_a_verdict_and_its_seconds(effects):
    rows = {row["name"]: row for row in table(effects / "classes.csv")}
    assert set(rows) == {"3", "7"}
    assert rows["3"]["state"] == "proven"
    assert all(float(row["audit_seconds"]) > 0 and float(row["test_seconds"]) > 0 for row in rows.values())
    assert '<details class="states"' in (effects / "report.html").read_text(encoding="utf-8")


def test_the_proven_class_is_among_the_suspects(effects):
    listed = {row["class"] for row in table(effects / "suspects.csv")}
    suspicious = {row["name"] for row in table(effects / "ranking.csv") if row["suspicious"] == "True"}
    assert listed == suspicious | {row["name"] for row in table(effects / "classes.csv") if row["state"] == "proven"}


def test_the_numbers_reach_the_logger(effects):
    (path,) = effects.rglob("metrics.csv")
    (row,) = [row for row in table(path) if row.get("proven")]
    assert float(row["proven"]) >= 1
    assert float(row["effect/3/delta_p"]) == pytest.approx(of_three(effects)["added"][0]["delta_p"])


def test_a_finished_case_is_not_done_again(again, trained, tmp_path, capsys):
    files = {path: path.stat().st_mtime_ns for path in (again / "artifacts").rglob("*.*")}
    before = (again / "effects.csv").read_bytes(), records(again)
    assert command(tmp_path, f"analyze.py ckpt={trained} analysis=effect {QUICK} out={again}") == 0
    assert {path: path.stat().st_mtime_ns for path in (again / "artifacts").rglob("*.*")} == files
    assert ((again / "effects.csv").read_bytes(), records(again)) == before
    assert "proven" in capsys.readouterr().out


class Killed(BaseException):
    """What no `except Exception` catches."""


def test_a_killed_run_tests_only_what_is_missing_and_ends_with_the_same_verdicts(again, trained, tmp_path, monkeypatch):
    whole, said = (again / "effects.csv").read_bytes(), records(again)
    shutil.rmtree(again / "artifacts")
    examine, looked = proving.examine_class, []

    def stop(bench, sample, *rest, **options):
        if looked:
            raise Killed
        looked.append(sample.name)
        return examine(bench, sample, *rest, **options)

    text = f"analyze.py ckpt={trained} analysis=effect {QUICK} out={again}"
    monkeypatch.setattr(proving, "examine_class", stop)
    with pytest.raises(Killed):
        command(tmp_path, text)
    second = []
    monkeypatch.setattr(
        proving, "examine_class", lambda *all_, **options: second.append(all_[1].name) or examine(*all_, **options)
    )
    assert command(tmp_path, text) == 0
    assert sorted(looked + second) == ["3", "7"]
    assert ((again / "effects.csv").read_bytes(), records(again)) == (whole, said)


def test_classes_beyond_the_number_allowed_are_listed_as_not_tested(again, trained, tmp_path, capsys):
    first = table(again / "ranking.csv")[0]["name"]
    text = f"ckpt={trained} analysis=effect {QUICK} out={again} analysis.most=1 analysis.samples=30 analysis.tests=1"
    assert command(tmp_path, f"analyze.py {text}") == 0
    states = {row["name"]: row["state"] for row in table(again / "classes.csv")}
    assert {name for name, state in states.items() if state == "not tested"} == {"3", "7"} - {first}
    assert {record["class"] for record in records(again)} == {first}
    assert "not tested" in capsys.readouterr().out


def test_a_list_of_samples_takes_the_place_of_the_groups(again, trained, tmp_path):
    rows = [row for row in table(again / "suspects.csv") if row["class"] == "3"]
    listed = tmp_path / "mine.csv"
    listed.write_text("path\n" + "".join(row["path"] + "\n" for row in rows[:20]))
    text = f"ckpt={trained} analysis=effect {PLAIN} out={again} analysis.classes=[3] analysis.members={listed}"
    assert command(tmp_path, f"analyze.py {text} analysis.samples=40") == 0
    found = of_three(again)
    assert mark_of(again / "artifacts" / "0003-3.json")["case"]["view"] == "listed samples"
    assert found["planted"]["iou"] >= 0.7


@pytest.mark.slow
def test_another_question_is_answered_anew(again, trained, tmp_path):
    mark = again / "artifacts" / "0003-3.json"
    before = mark.stat().st_mtime_ns
    text = f"analyze.py ckpt={trained} analysis=effect {QUICK} out={again}"
    assert command(tmp_path, f"{text} analysis.samples=20 analysis.classes=[3]") == 0
    assert mark.stat().st_mtime_ns != before
    assert of_three(again)["added"][0]["n"] == 20


def test_the_folder_of_a_survey_is_gone_on_with(trained, tmp_path, capsys):
    out = tmp_path / "out"
    assert command(tmp_path, f"analyze.py ckpt={trained} {PLAIN} analysis.classes=[3,7] out={out}") == 0
    capsys.readouterr()
    text = f"analyze.py ckpt={trained} analysis=effect {QUICK} out={out}"
    assert command(tmp_path, f"{text} analysis.samples=20 analysis.tests=1") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 2 classes were finished before" in said
    assert of_three(out)["added"][0]["n"] == 20


@pytest.mark.slow
def test_in_the_union_both_splits_are_clustered(trained, tmp_path):
    out = tmp_path / "out"
    text = f"analyze.py ckpt={trained} analysis=effect split=union {PLAIN} out={out} analysis.classes=[3]"
    assert command(tmp_path, f"{text} analysis.samples=20") == 0
    train, val = of_three(out)["spread"]
    assert train["by_cluster"] > 0
    assert val["by_cluster"] > 0


@pytest.mark.slow
def test_all_samples_of_a_group_are_counted_where_fewer_are_looked_at(again, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(clustered, "MOST", 60)
    text = f"analyze.py ckpt={trained} analysis=effect {PLAIN} analysis.classes=[3] out={again} analysis.samples=20"
    assert command(tmp_path, text) == 0
    assert max(record["spread"][0]["by_cluster"] for record in records(again) if record["spread"]) > 60


def test_every_class_is_tested_whether_it_stands_out_or_not(tmp_path, capsys):
    text = f"data=digits artifact=none {RANDOM} data.classes=[1,3,7] data.image_size={SIDE} samples_per_class=30"
    text += " analysis.candidates=1 analysis.tests=1"
    assert command(tmp_path, f"analyze.py {text} analysis=effect {PLAIN} out={tmp_path / 'out'}") == 0
    ranking = table(tmp_path / "out" / "ranking.csv")
    assert [record["class"] for record in records(tmp_path / "out")] == [row["name"] for row in ranking]
    assert {row["state"] for row in table(tmp_path / "out" / "classes.csv")} <= {"open", "not used"}
    assert "Of 3 classes" in " ".join(capsys.readouterr().out.split())


def test_a_picture_of_the_user_is_tested(effects, trained, tmp_path, capsys):
    layer = effects / "artifacts" / "0003-3-layer-rgba.png"
    out = tmp_path / "out"
    text = f"analyze.py ckpt={trained} analysis=effect {PLAIN} out={out} analysis.artifact={layer} analysis.classes=[3]"
    assert command(tmp_path, f"{text} analysis.samples=300") == 0
    found = of_three(out)
    assert found["verdict"] == "proven"
    assert found["added"][0]["delta_p"] == pytest.approx(of_three(effects)["added"][0]["delta_p"], abs=0.05)
    assert "0003-3-layer-rgba.png" in found["given"]["file"]
    assert not (out / "classes").exists()


def test_a_picture_that_is_not_the_planted_artifact_is_taken_away_from_nobody(effects, trained, tmp_path):
    Image.new("RGBA", (8, 8), (0, 0, 255, 255)).save(tmp_path / "logo.png")
    out = tmp_path / "out"
    text = f"analyze.py ckpt={trained} analysis=effect {PLAIN} out={out} analysis.artifact=logo.png"
    assert command(tmp_path, f"{text} analysis.classes=[3] analysis.samples=20") == 0
    assert of_three(effects)["removed"]
    assert of_three(out)["removed"] == []


def test_a_mask_of_the_user_is_taken(trained, tmp_path):
    inside = np.zeros((SIDE, SIDE), dtype=np.uint8)
    inside[-4:] = 255
    Image.fromarray(inside).save(tmp_path / "mask.png")
    out = tmp_path / "out"
    text = f"analyze.py ckpt={trained} analysis=effect {PLAIN} out={out} analysis.mask=mask.png analysis.classes=[3]"
    assert command(tmp_path, f"{text} analysis.samples=20") == 0
    alpha = np.asarray(Image.open(out / "artifacts" / "0003-3-layer-rgba.png"))[..., 3]
    assert alpha[:-4].max() == 0
    assert alpha[-2].mean() > 200


def test_fewer_samples_than_asked_are_said(effects, trained, tmp_path, capsys):
    text = f"analyze.py ckpt={trained} analysis=effect {PLAIN} out={tmp_path / 'out'} analysis.classes=[3]"
    layer = effects / "artifacts" / "0003-3-layer-rgba.png"
    few = f"+data.max_per_class=30 +data.max_per_class_val=6 analysis.artifact={layer}"
    assert command(tmp_path, f"{text} {few} analysis.samples=5000") == 0
    assert "fewer than the 5000 asked for" in " ".join(capsys.readouterr().out.split())


def pictures(folder):
    """Pictures that cannot be an artifact or a mask."""
    Image.new("RGBA", (SIDE + 1, 8), (255, 0, 0, 200)).save(folder / "large.png")
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(folder / "clear.png")
    Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / "opaque.png")
    Image.new("L", (SIDE, SIDE), 255).save(folder / "white.png")
    Image.new("L", (SIDE, SIDE), 0).save(folder / "black.png")
    Image.new("L", (8, 8), 255).save(folder / "small.png")
    (folder / "text.png").write_text("no picture")
    (folder / "other.csv").write_text("path,class\nelsewhere.jpg,3\n")
    (folder / "columns.csv").write_text("name\nelsewhere.jpg\n")


ONE = "analysis.classes=[3]"
SENTENCES = [
    (f"analysis.artifact=large.png {ONE}", "is larger than the image"),
    (f"analysis.artifact=clear.png {ONE}", "an alpha channel that is zero everywhere"),
    (f"analysis.artifact=opaque.png {ONE}", "must have an alpha channel (RGBA), got mode RGB"),
    (f"analysis.artifact=nowhere.png {ONE}", "got no file at nowhere.png"),
    (f"analysis.artifact=text.png {ONE}", "the patch's file must be a picture with an alpha channel, got text.png"),
    (f"analysis.mask=white.png {ONE}", "but it covers the whole image"),
    (f"analysis.mask=black.png {ONE}", "but it covers nothing"),
    (f"analysis.mask=small.png {ONE}", "must be as large as the images, 32 × 32 pixels, got 8 × 8"),
    (f"analysis.mask=nowhere.png {ONE}", "analysis.mask expects a picture file, but nowhere.png does not exist"),
    (f"analysis.mask=text.png {ONE}", "analysis.mask expects a picture file, got text.png"),
    (f"analysis.mask=white.png analysis.artifact=clear.png {ONE}", "is tested as it is; leave analysis.mask out"),
    (f"analysis.members=nowhere.csv {ONE}", "analysis.members expects a table such as suspects.csv, but nowhere.csv"),
    (f"analysis.members=other.csv {ONE}", "analysis.members expects paths of class '3' in split=train, got 1 others"),
    (f"analysis.members=columns.csv {ONE}", "analysis.members expects a column 'path', got name in"),
    (f"analysis.members=large.png {ONE}", "analysis.members expects a table of text"),
    ("analysis.members=other.csv", "analysis.members belongs to one class"),
    ("analysis.artifact=clear.png analysis.classes=[9]", "classes names no class"),
    ("analysis.artifact=clear.png", "analysis.artifact belongs to one class"),
    ("analysis.mask=white.png analysis.classes=[1,3]", "analysis.mask belongs to one class"),
    ("analysis.classes=[eleven]", "classes names no class: expected one of 3 class names, got 'eleven'"),
    (f"analysis.mask=white.png analysis.kind=free {ONE}", "analysis.mask tells where a fixed artifact lies"),
    ("analysis.kind=square", "analysis.kind='square'"),
    ("analysis.fills=[paint]", "a fill must be one of telea"),
    ("analysis.fills=[truth]", "the fill 'truth' needs a planted artifact"),
    ("analysis.samples=0", "analysis.samples=0: input should be greater than 0"),
    ("analysis.candidates=0", "analysis.candidates=0: input should be greater than 0"),
    ("analysis.tests=0", "analysis.tests=0: input should be greater than 0"),
    ("analysis.most=0", "analysis.most=0: input should be greater than 0"),
    ("attribution.layer=features.1", "analysis=effect needs heatmaps of the input"),
]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_bad_input_is_one_sentence(text, sentence, tmp_path, capsys):
    pictures(tmp_path)
    few = f"data=digits artifact=none {RANDOM} data.classes=[1,3,7] data.image_size={SIDE} samples_per_class=14"
    assert command(tmp_path, f"analyze.py {few} analysis=effect {PLAIN} out=out {text}") == 1
    printed = capsys.readouterr().err
    (said,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert sentence in said
    assert "Traceback" not in printed
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_agreement_is_said_and_the_run_ends_well(tmp_path, capsys):
    photographs(tmp_path / "photos", each=30)
    text = f"data=image_folder data.root=photos data.image_size={SIDE} {RANDOM} analysis.classes=[cat]"
    assert command(tmp_path, f"analyze.py {text} analysis=effect {PLAIN} out={tmp_path / 'out'}") == 0
    (found,) = records(tmp_path / "out")
    assert (found["verdict"], found["reason"]) == ("open", "not isolated")
    failures = [Failure(each.pop("reason"), each) for each in found["failures"]]
    printed = " ".join(capsys.readouterr().out.split()).lower()
    first, *more = map(failure_said, failures)  # the terminal tells the first reason, the report all
    assert first.lower() in printed
    assert not more or f"and {len(more)} further reasons, which the report lists" in printed
    assert all(reason in html.unescape((tmp_path / "out" / "report.html").read_text()) for reason in more)
    assert not list((tmp_path / "out" / "artifacts").glob("*.png"))
