"""One run at a time in a folder; a killed one lets go of it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unhans.store import atomic as module
from unhans.store import held, sweep

HOLD = "import sys, time\nfrom atomic import held\nwith held(sys.argv[1]):\n    print('held', flush=True)\n    {}\n"


@pytest.fixture
def holder(tmp_path):
    """Start another process that holds the folder; alone, since the whole package takes seconds to import."""
    started = []

    def start(then="time.sleep(60)"):
        command = [sys.executable, "-c", HOLD.format(then), str(tmp_path)]
        started.append(subprocess.Popen(command, cwd=Path(module.__file__).parent, stdout=subprocess.PIPE))
        assert started[0].stdout.readline() == b"held\n"
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_run_is_told_who_is_there(tmp_path, holder):
    other = holder()
    sentence = rf"in use by another run \(process {other.pid} since [-0-9]+ [0-9:]+\); wait for it or give another out="
    with pytest.raises(ValueError, match=sentence), held(tmp_path):
        pass
    assert (tmp_path / ".lock").read_text().startswith(f"{other.pid}\n")


def test_a_killed_run_lets_go(tmp_path, holder):
    other = holder()
    other.kill()
    assert other.wait() == -signal.SIGKILL
    with held(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"{os.getpid()}\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_killed_run_lets_go_even_if_a_worker_lives_on(tmp_path, holder):
    other = holder("import os\n    os.fork() or print(os.getpid(), flush=True)\n    time.sleep(60)")
    worker = int(other.stdout.readline())
    other.kill()
    other.wait()
    try:
        with held(tmp_path):
            assert os.kill(worker, 0) is None  # it lives: another answer would be an error
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_finished_or_failed_run_lets_go(tmp_path):
    with pytest.raises(KeyError), held(tmp_path / "new"):
        raise KeyError
    for _ in range(2):
        with held(tmp_path / "new"):
            pass


def test_within_one_process_too(tmp_path):
    with held(tmp_path), pytest.raises(ValueError, match=f"process {os.getpid()} "), held(tmp_path):
        pass


def test_another_machine_is_named(tmp_path):
    with held(tmp_path):
        (tmp_path / ".lock").write_text("12\n2026-01-02 03:04\nnode7\n")
        with pytest.raises(ValueError, match=r"process 12 on node7 since 2026-01-02 03:04"), held(tmp_path):
            pass
        (tmp_path / ".lock").write_text("")
        with pytest.raises(ValueError, match=re.escape("process ? since ?")), held(tmp_path):
            pass


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match=r"another file system: No locks available: '.*'"), held(tmp_path):
        pass


def test_only_half_files_are_swept(tmp_path):
    half = tmp_path / "a" / "b" / ".0123456789abcdef0123456789abcdef.part"
    kept = [tmp_path / "a" / name for name in ("my.part", ".x.part", "c.h5")]
    half.parent.mkdir(parents=True)
    for path in (half, *kept):
        path.touch()
    assert sweep(tmp_path) == 1
    assert not half.exists()
    assert all(path.exists() for path in kept)
    assert sweep(tmp_path) == 0
