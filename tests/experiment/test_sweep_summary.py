"""The notes of a sweep's jobs and the table made of them."""

from __future__ import annotations

import csv
import math
from types import SimpleNamespace

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import RunMode
from omegaconf import OmegaConf

from unhans.experiment.sweep import SweepSummary, end_sweeps, summarise, sweep_logger
from unhans.experiment.sweep import sweep_callback as sweep_logger_module
from unhans.experiment.sweep.sweep_callback import objective_of
from unhans.experiment.sweep.sweep_summary import (
    Note,
    add_note,
    conclude,
    goal_of,
    read_notes,
    short,
    shown_numbers,
    typed_values,
    varying,
)
from unhans.terminal import ConfigurationError


def note(job, overrides, numbers=None, **options):
    status = "finished" if numbers else "failed"
    return Note(job, tuple(overrides), status, f"f/{job}", numbers=numbers or {}, **options)


def table(folder):
    with (folder / "summary.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_holds_all_jobs_whatever_their_order_and_numbers(tmp_path):
    add_note(tmp_path, note(11, ["+a.b=1", "seed=0"], {"val/accuracy": 0.5, "nothing": math.nan}))
    add_note(tmp_path, note(2, ["+a.b=x,y", "seed=0"], reason="it broke, so"))
    add_note(tmp_path, note(11, ["+a.b=1", "seed=0"], {"val/accuracy": 0.75}))
    first, second = table(tmp_path)
    assert (first["job"], first["status"], first["a.b"], first["reason"]) == ("2", "failed", "x,y", "it broke, so")
    assert (second["job"], second["a.b"], second["seed"], second["val/accuracy"]) == ("11", "1", "0", "0.75")
    assert first["val/accuracy"] == ""
    assert [one.job for one in read_notes(tmp_path)] == [2, 11]


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", 0.1), ("1e-3", 1e-3), ("true", True), ("resnet18", "resnet18"), ("[1,3]", [1, 3])]
)
def test_values_are_plain(text, value):
    assert typed_values([f"+a.b={text}"]) == {"a.b": value}


def test_what_varies_is_shown():
    rows = [note(0, words).values for words in (["a=1", "+b.c=2", "d=x=y"], ["a=1", "b.c=3", "d=x=y"])]
    assert varying(rows) == ["b.c"]
    assert varying(rows[:1]) == ["a", "b.c", "d"]
    assert short(["optimizer.lr", "a.seed", "seed"]) == ["lr", "a.seed", "seed"]


def test_the_objective_comes_first_and_what_is_the_same_everywhere_not_at_all():
    numbers = [{"train/loss": i, "val/loss": i, "same": 1.0, "val/accuracy": i, "goal": 3.0} for i in (0.1, 0.2)]
    found = [note(i, ["a=1"], one, objective=("goal",)) for i, one in enumerate(numbers)]
    assert shown_numbers(found) == ["goal", "val/accuracy", "val/loss", "train/loss"]


def test_without_an_objective_only_accuracy_makes_a_job_better():
    assert goal_of([note(0, ["a=1"], {"planted/delta_p": 0.5, "val/accuracy": 0.5})]) == "val/accuracy"
    assert goal_of([note(0, ["a=1"], {"planted/delta_p": 0.5})]) is None
    assert goal_of([note(0, ["a=1"], {"x": 0.5, "val/accuracy": 0.5}, objective=("x", "y"))]) == "x"
    assert goal_of([]) is None


@pytest.mark.parametrize(
    ("objective", "direction", "better"),
    [
        ("val/loss", None, "lower"),
        ("val/accuracy", None, "higher"),
        ("x/effect", None, "lower"),
        ("x/effect", "maximize", "higher"),
        ("val/accuracy", "minimize", "lower"),
        ("x/effect", ["maximize", "minimize"], "higher"),
        (None, "maximize", "higher"),  # a direction of nothing
    ],
)
def test_better_is_as_the_sweeper_says_or_else_as_numbers_of_that_name_go(objective, direction, better, tmp_path):
    numbers = {"val/loss": 1.0, "val/accuracy": 0.5, "x/effect": 0.1}
    for job in (0, 1):
        cfg = config(tmp_path, objective=objective)
        OmegaConf.update(cfg, "hydra.job.num", job)
        OmegaConf.update(cfg, "hydra.overrides.task", [f"seed={job}"])
        OmegaConf.update(cfg, "hydra.sweeper", {"direction": direction}, force_add=True)
        ended = JobReturn(status=JobStatus.COMPLETED, _return_value={name: job + n for name, n in numbers.items()})
        SweepSummary().on_job_end(cfg, ended)
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unhans.report.figures.parallel_figure", lambda *_, **options: drawn.append(options))
        patch.setattr("unhans.store.write_figure", lambda *_: None)
        conclude(tmp_path)
    assert drawn[0]["minimize"] == (better == "lower")
    assert f"the {better} {objective or 'val/accuracy'}" in drawn[0]["subtitle"]


def test_an_objective_is_one_number_or_several_and_must_be_there():
    numbers = {"val/accuracy": 0.5, "val/loss": 2.0}
    assert objective_of(numbers, "val/accuracy") == 0.5
    assert objective_of(numbers, ["val/loss", "val/accuracy"]) == [2.0, 0.5]
    with pytest.raises(ConfigurationError, match="did you mean val/accuracy"):
        objective_of(numbers, "val/acuracy")


def config(folder, mode="MULTIRUN", **options):
    job = {"num": 0, "config_name": "train"}
    hydra = {"mode": RunMode[mode], "sweep": {"dir": str(folder)}, "job": job, "overrides": {"task": ["seed=1"]}}
    return OmegaConf.create(
        {"objective": None, "hydra": hydra | {"runtime": {"output_dir": str(folder / "0")}}} | options
    )


def test_a_job_that_never_ends_is_in_the_table_as_unfinished(tmp_path):
    SweepSummary().on_job_start(config(tmp_path), task_function=None)
    assert [row["status"] for row in table(tmp_path)] == ["unfinished"]


def test_a_single_run_is_left_alone(tmp_path):
    summary, ended = SweepSummary(), JobReturn(status=JobStatus.COMPLETED, _return_value={"a": 1.0})
    summary.on_job_start(config(tmp_path, "RUN", objective="a"), task_function=None)
    summary.on_job_end(config(tmp_path, "RUN", objective="a"), ended)
    assert ended.return_value == {"a": 1.0}
    assert not list(tmp_path.iterdir())


def test_an_unknown_objective_fails_the_job_but_keeps_its_numbers(tmp_path):
    ended = JobReturn(status=JobStatus.COMPLETED, _return_value={"a": 1.0})
    SweepSummary().on_job_end(config(tmp_path, objective="b"), ended)
    with pytest.raises(ConfigurationError, match="objective=b is no number of this job, which has a"):
        _ = ended.return_value
    assert table(tmp_path)[0]["a"] == "1.0"


def test_the_trace_of_a_failure_is_kept(tmp_path):
    ended = JobReturn(status=JobStatus.FAILED, _return_value=RuntimeError("it broke"))
    SweepSummary().on_job_end(config(tmp_path), ended)
    assert table(tmp_path)[0]["reason"] == "it broke"
    assert "RuntimeError: it broke" in (tmp_path / "0" / "error.log").read_text()


def test_optuna_without_an_objective_is_refused_before_anything(tmp_path, capsys):
    cfg = config(tmp_path)
    OmegaConf.update(cfg, "hydra.sweeper._target_", "optuna_sweeper.OptunaSweeper", force_add=True)
    with pytest.raises(SystemExit):
        SweepSummary().on_multirun_start(cfg)
    assert "hydra/sweeper=optuna needs the number that it optimises" in capsys.readouterr().err


def test_an_earlier_sweep_in_the_folder_is_forgotten_and_the_picture_is_drawn(tmp_path, capsys):
    add_note(tmp_path, note(7, ["a=1"]))
    SweepSummary().on_multirun_start(config(tmp_path))
    for job in range(3):
        add_note(tmp_path, note(job, [f"a={job}"], {"val/accuracy": job / 4, "val/loss": 1.0 - job}))
    SweepSummary().on_multirun_end(config(tmp_path))
    end_sweeps()  # only once
    assert (tmp_path / "parallel.png").stat().st_size > 1000
    assert len(table(tmp_path)) == 3
    assert capsys.readouterr().out.count("3 of 3 jobs finished") == 1


def test_the_runs_of_a_sweep_are_one_group_with_their_values(tmp_path, monkeypatch):
    swept = SimpleNamespace(task=["lr=1e-3"])
    job = SimpleNamespace(sweep=SimpleNamespace(dir=str(tmp_path / "mine")), overrides=swept)
    monkeypatch.setattr(sweep_logger_module, "_in_sweep", lambda: True)
    monkeypatch.setattr(sweep_logger_module.HydraConfig, "get", lambda: job)
    logger = sweep_logger(save_dir=str(tmp_path))
    try:
        run = logger.experiment
        summarise(logger, {"val/accuracy": 0.5})
        assert run.group == "mine"
        assert dict(run.config) == {"lr": 1e-3}
        assert run.summary["val/accuracy"] == 0.5
    finally:
        run.finish()


def test_a_single_run_has_no_group(tmp_path):
    logger = sweep_logger(save_dir=str(tmp_path))
    assert logger._wandb_init["group"] is None
    assert "config" not in logger._wandb_init


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["analysis=faithfulness", "ckpt=a,b"], True),
        (["analysis=faithfulness", "ckpt=a", "seed=0,1"], False),
        (["analysis=effect", "ckpt=a,b"], False),
    ],
)
def test_a_sweep_over_checkpoints_of_faithfulness_is_told_what_follows_them(words, told, tmp_path, capsys):
    hydra = {"sweep": {"dir": str(tmp_path)}, "overrides": {"task": words}, "sweeper": {}}
    SweepSummary().on_multirun_start(OmegaConf.create({"hydra": hydra}))
    end_sweeps()
    assert ("by ckpts=… without -m: a folder or a list." in " ".join(capsys.readouterr().out.split())) is told
