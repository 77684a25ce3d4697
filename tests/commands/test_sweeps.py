"""Sweeps through the real commands: one table of all jobs, also where some fail."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from running import RANDOM, command

ROOT = Path(__file__).parents[2]
FAST = "debug=fast trainer.max_epochs=1 callbacks=none data.classes=[1,3] data.image_size=16 hydra.sweep.dir=sweep"


def table(folder):
    with (folder / "sweep" / "summary.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_sweep_leaves_a_table_and_a_picture(tmp_path, capsys):
    assert command(tmp_path, f"train.py -m {FAST} artifact.coverage=0.1,0.5 seed=0,1") == 0
    rows = table(tmp_path)
    assert [(row["artifact.coverage"], row["seed"]) for row in rows] == [
        ("0.1", "0"), ("0.1", "1"), ("0.5", "0"), ("0.5", "1"),
    ]  # fmt: skip
    assert {row["status"] for row in rows} == {"finished"}
    assert all(0 <= float(row["val/accuracy"]) <= 1 for row in rows)
    assert (tmp_path / "sweep" / "parallel.png").is_file()
    printed = capsys.readouterr().out
    assert "Jobs of the sweep" in printed
    assert "4 of 4 jobs finished" in printed


def test_what_audits_measure_can_be_the_objective(tmp_path):
    audited = FAST.replace("callbacks=none", "callbacks=audit callbacks.heatmap_evolution=null spray.n_neighbors=4")
    quick = "callbacks.spray_audit.control=false callbacks.spray_audit.pages=0 callbacks.spray_audit.verify_samples=12"
    assert command(tmp_path, f"train.py -m {audited} {quick} seed=0 objective=audit/proven") == 0
    assert [row["status"] for row in table(tmp_path)] == ["finished"]
    assert float(table(tmp_path)[0]["audit/proven"]) >= 0


def test_a_failed_job_is_in_the_table_with_its_reason_and_the_others_go_on(tmp_path):
    assert command(tmp_path, f"train.py -m {FAST} optimizer.lr=fast,0.01") == 1
    failed, finished = table(tmp_path)
    assert (failed["status"], finished["status"]) == ("failed", "finished")
    assert failed["reason"].startswith("optimizer.lr expects a number such as 0.001, got 'fast'")
    assert finished["val/accuracy"]


def test_an_unknown_objective_is_one_sentence_and_loses_nothing(tmp_path, capsys):
    assert command(tmp_path, f"train.py -m {FAST} seed=0,1 objective=val/acc") == 1
    assert "objective=val/acc is no number of this job" in capsys.readouterr().err
    assert [row["status"] for row in table(tmp_path)] == ["finished", "finished"]


def test_a_training_in_several_processes_is_not_swept(tmp_path, capsys):
    assert command(tmp_path, f"train.py -m {FAST} trainer.devices=2 seed=0") == 1
    assert "trainer.devices=2 with trainer.strategy=auto cannot be swept with -m" in capsys.readouterr().err
    assert [row["status"] for row in table(tmp_path)] == ["failed"]


def test_analyses_are_swept_as_well(tmp_path):
    digits = f"data=digits data.classes=[1,3] data.image_size=16 artifact=none {RANDOM} samples_per_class=14"
    quick = "spray.projection=null parallel.n_jobs=1 device=cpu analysis.control=false hydra.sweep.dir=sweep"
    assert command(tmp_path, f"analyze.py -m {digits} {quick} spray.n_neighbors=8,9") == 0
    rows = table(tmp_path)
    assert [(row["status"], row["spray.n_neighbors"]) for row in rows] == [("finished", "8"), ("finished", "9")]
    assert all(float(row["suspicious"]) >= 0 for row in rows)


def run(folder, text):
    """Run in a process of its own: launchers and sweepers leave things behind."""
    return subprocess.run(
        [sys.executable, ROOT / "train.py", *text.split()], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_jobs_on_other_processes_fill_the_same_table(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    done = run(tmp_path, f"-m {FAST} hydra/launcher=joblib hydra.launcher.n_jobs=2 seed=0,1,2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["seed"] for row in table(tmp_path)] == ["0", "1", "2"]
    assert "3 of 3 jobs finished" in done.stdout


def test_optuna_optimises_the_objective(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    optuna = "hydra/sweeper=optuna hydra.sweeper.n_trials=2 hydra.sweeper.direction=maximize objective=val/accuracy"
    space = "artifact.coverage=interval(0.1,0.9) seed=choice(0,1)"
    done = run(tmp_path, f"-m {FAST} {optuna} {space}")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = table(tmp_path)
    assert len(rows) == 2
    best = max(float(row["val/accuracy"]) for row in rows)
    found = (tmp_path / "sweep" / "optimization_results.yaml").read_text()
    assert f"best_value: {best}" in found
