"""`train.py experiment=closed_loop`: it repairs what it has proven, and does nothing on clean data."""

from __future__ import annotations

import json

import pytest
from running import command, only_run

QUICK = "logger=none spray.projection=null ~callbacks.heatmap_evolution"


def decisions(run):
    return json.loads((run / "audit" / "decisions.json").read_text())["decisions"]


def test_a_short_run_without_anything_to_prove_does_nothing(tmp_path, capsys):
    few = "debug=fast artifact=none data.classes=[1,3,8]"
    assert command(tmp_path, f"train.py experiment=closed_loop {few} {QUICK}") == 0
    run = only_run(tmp_path)
    assert all(each["done"] == "did not act" for each in decisions(run))
    assert "Nothing was proven, so training was left as it is." in capsys.readouterr().out
    assert json.loads((run / "results.json").read_text())["unhans/acted"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("act", ["augment", "a_clarc"])
def test_the_watermark_of_the_digits_is_proven_repaired_and_no_longer_proven(act, tmp_path, capsys):
    assert command(tmp_path, f"train.py experiment=closed_loop callbacks.spray_audit.act={act} {QUICK}") == 0
    run = only_run(tmp_path)
    told = [each for each in decisions(run) if each["name"] == "3"]
    acted = next(each for each in told if each["done"] == "acted")
    assert acted["verdict"] == "proven"
    assert acted["epoch"] <= 1
    again = [each for each in told if each["done"] == "measured again"]
    assert again[-1]["epoch"] == 3
    # A-ClArC leaves an effect close to 0.05, the least that counts, as its controls have: it may not be excluded
    assert again[-1]["verdict"] in {"augment": ("not used",), "a_clarc": ("not used", "open")}[act]
    assert again[-1]["delta_p_high"] < acted["delta_p_low"] / 5
    numbers = json.loads((run / "results.json").read_text())
    assert (numbers["unhans/acted"], numbers["unhans/proven"]) == (1, 0)
    assert "no longer proven" in capsys.readouterr().out
    assert "What the training did about it" in (run / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_on_clean_data_it_does_nothing(seed, tmp_path):
    text = f"train.py experiment=closed_loop artifact=none seed={seed} data.seed={seed} {QUICK}"
    assert command(tmp_path, text) == 0
    assert {each["done"] for each in decisions(only_run(tmp_path))} <= {"did not act"}
