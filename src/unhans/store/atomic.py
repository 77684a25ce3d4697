"""Write a file whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
