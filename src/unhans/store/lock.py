"""One run at a time in a folder."""

from __future__ import annotations

import os
import re
import socket
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PART = re.compile(r"\.[0-9a-f]{32}\.part")  # what `unhans.store.replacing` leaves when it is killed
FAR = 1 << 30  # Windows locks bytes, and lets nobody read them: one far behind the text

_held: weakref.WeakSet[IO[str]] = weakref.WeakSet()


@contextmanager
def held(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep a folder, made if missing, for this run; the system lets go of it however the process ends.

    The file `.lock` stays in the folder and says who holds it.

    Raises:
        ValueError: another run holds the folder; says which.
        OSError: the folder cannot be made, or its file system knows no locks.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as file:
        if not _lock(file, folder):
            raise ValueError(
                f"{folder} is in use by another run ({_holder(file)}); wait for it or give another out=… folder."
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n{time.strftime('%Y-%m-%d %H:%M')}\n{socket.gethostname()}\n")
        file.flush()
        _held.add(file)
        yield


def sweep(folder: str | os.PathLike[str]) -> int:
    """Remove the half files that killed runs left in a folder and below; return how many. Call it under the lock."""
    stale = [path for path in Path(folder).rglob("*.part") if PART.fullmatch(path.name)]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def _holder(file: IO[str]) -> str:
    file.seek(0)
    process, since, host, *_ = [*file.read().splitlines(), "?", "?", "?"]
    place = "" if host in (socket.gethostname(), "?") else f" on {host}"
    return f"process {process}{place} since {since}"


def _let_go_in_child() -> None:
    """A lock ends with the last process that has the file: workers must not outlive a killed run with it."""
    for file in list(_held):
        if not file.closed:
            file.close()


if os.name == "nt":
    import msvcrt

    def _lock(file: IO[str], folder: Path) -> bool:
        file.seek(FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:  # says no more than that it is locked
            return False
        return True

else:
    import fcntl

    os.register_at_fork(after_in_child=_let_go_in_child)

    def _lock(file: IO[str], folder: Path) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise OSError(
                error.errno, f"Cannot lock, give an out=… on another file system: {error.strerror}", str(folder)
            ) from error
        return True
