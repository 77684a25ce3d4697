"""What a worker notes of its progress is what the bar shows."""

from __future__ import annotations

from rich.progress import Progress

from unhans.experiment.survey import worker as tick
from unhans.experiment.survey.worker import Tick, work_done
from unhans.report import Stages


def test_the_share_is_noted_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tick, "EVERY", 0)
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
    first, second = Tick(folders[0]), Tick(folders[1])
    first(30, 40)
    second(1, 4)
    assert work_done(folders) == 1.0
    second.end()
    assert work_done(folders) == 0.75
    (folders[1] / tick.NAME).write_text("")
    assert work_done(folders) == 0.75


def test_it_writes_once_a_second(tmp_path):
    note = Tick(tmp_path)
    note(1, 10)
    note(5, 10)
    assert work_done([tmp_path]) == 0.1


def test_the_bar_counts_what_is_begun():
    with Progress(disable=True, console=None) as bar:
        stages = Stages(bar, samples=0, classes=4, begun=lambda: 0.5)
        stages.clustered("a")
        assert bar.tasks[1].completed == 1.5
