"""Progress of an audit in the terminal, above the trainer's own bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Say = Callable[[str, int], None]


@contextmanager
def progress(total: int, shown: bool = True) -> Iterator[Say]:
    """Give a function (what is being done, samples just done with); the bar vanishes at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=not shown) as bar:
        task = bar.add_task("audit", total=total)
        yield lambda text, samples: bar.update(task, description=text, advance=samples, refresh=True)
