"""What workers are asked to do; a module of its own, since importing torch takes each of them seconds."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(number):
    return number * number


def die_once(task):
    """Kill the own process the first time."""
    number, folder = task
    mark = Path(folder) / f"died{number}"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_always(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_for(path, seconds=120):
    """Wait until a file is there; how long it took says nothing, so only a job that never comes is too late."""
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return path.exists()


def mark(task):
    """Leave a mark; the first task then waits until it is told to end."""
    number, folder = task
    (Path(folder) / f"begun{number}").touch()
    if number == 0:
        wait_for(Path(folder) / "end")
    return number


def count_and_fail(folder):
    (Path(folder) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
    raise ImportError("No module named 'cupy'")
