"""Files that are written whole or not at all, their names, and one run at a time in a folder."""

from __future__ import annotations

import csv
import os
import re
import socket
import time
import unicodedata
import uuid
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JPEG = {"quality": 85, "subsampling": 0, "optimize": True}  # a thin coloured watermark must keep its colour
LONGEST_NAME = 80  # characters; leaves room below the 255 bytes that file systems allow
PART = re.compile(r"\.[0-9a-f]{32}\.part")  # what `unhans.store.replacing` leaves when it is killed
FAR = 1 << 30  # Windows locks bytes, and lets nobody read them: one far behind the text


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its name when the block ends well.

    Missing folders are made. The old file, if any, stays as it is until the new one is complete and on the disk; a
    block that fails or is interrupted leaves nothing behind. Two writers never share a temporary path. It ends in
    `.part`, so no search for finished files finds it; state a file's format to writers that guess it from the name.

    Raises:
        OSError: the folder or the file cannot be written; says which and why.
    """
    path = Path(path)
    part = path.with_name(f".{uuid.uuid4().hex}.part")  # short: the file's own name may be as long as names can be
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            _flush(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) != os.fspath(part):
            raise  # about another file, which it names
        raise OSError(error.errno, f"Cannot write: {error.strerror}", os.fspath(path)) from error


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def file_stem(number: int, name: str) -> str:
    """Name a file after class or sample `number` and its name, such as `0003-garbage_truck`.

    The number makes it unique; of the name what every file system can hold is kept (ASCII letters, digits, `_`, `-`;
    accents are dropped, other scripts leave the number alone).
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^A-Za-z0-9-]+", "_", ascii_name)[:LONGEST_NAME].strip("_-")
    return f"{number:04d}-{readable}" if readable else f"{number:04d}"


def write_csv(path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as UTF-8 CSV with a header, whole or not at all; None becomes an empty field.

    File names that are no UTF-8 keep their bytes. Text that a spreadsheet would take for a formula begins with an
    apostrophe; see `plain_text`.
    """
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_guarded(value) for value in row] for row in rows)


def plain_text(field: str) -> str:
    """Return a text as it was before `write_csv` put an apostrophe in front of =, + or @."""
    return field[1:] if _GUARDED.match(field) else field


def _guarded(value: Any) -> Any:
    """Text that begins with =, + or @, also after apostrophes, with one more of them; anything else as it is."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    return f"'{text}" if isinstance(text, str) and _FORMULA.match(text) else value


def write_figure(path: str | os.PathLike[str], figure: Figure, dpi: int = 100) -> None:
    """Write a matplotlib figure in the format that the path's suffix names, whole or not at all.

    Take `.jpg` for pages of photographs (a third of the size; colours at full resolution), `.png` for the others.
    Bytes of file names that are no UTF-8 are drawn as �.
    """
    for text in figure.findobj(match=lambda each: hasattr(each, "set_text")):
        text.set_text(text.get_text().encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    suffix = Path(path).suffix.removeprefix(".")
    with replacing(path) as part:
        figure.savefig(part, format=suffix, dpi=dpi, pil_kwargs=JPEG if suffix in ("jpg", "jpeg") else None)


_FORMULA, _GUARDED = re.compile("'*[=+@]"), re.compile("'+[=+@]")
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
