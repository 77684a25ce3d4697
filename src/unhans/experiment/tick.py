"""How far a class job on another process, or machine, has come: a number in a small file."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

EVERY = 1.0  # seconds between two notes

NAME = ".progress"


class Tick:
    """Notes the share of the work that is done, once a second; called with the work done and the work expected."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._last = 0.0

    def __call__(self, done: int, expected: int) -> None:
        """Note done / expected."""
        if time.monotonic() - self._last < EVERY:
            return
        self._last = time.monotonic()
        self.path.write_text(f"{done / max(1, expected):.4f}", encoding="ascii")

    def end(self) -> None:
        """Remove the note."""
        self.path.unlink(missing_ok=True)


def work_done(folders: Iterable[Path]) -> float:
    """Return the work noted in these folders, in classes; a folder without a note counts as not begun."""
    return sum(_share(folder / NAME) for folder in folders)


def _share(path: Path) -> float:
    try:
        return min(1.0, float(path.read_text(encoding="ascii")))
    except (OSError, ValueError):  # none, or just being written
        return 0.0
