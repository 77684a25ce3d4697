"""Progress of an audit in the terminal, above the trainer's own bar."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PERIOD = 600  # seconds from which the time left is estimated: a class may take minutes

Say = Callable[[str, int], None]


def _bars(**options: Any) -> Progress:
    said = TextColumn("{task.description}", markup=False)  # the name of a class may look like markup
    columns = (said, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, transient=True, **options)


@contextmanager
def progress(total: int, shown: bool = True) -> Iterator[Say]:
    """Give a function (what is being done, samples just done with); the bar vanishes at the end."""
    with _bars(disable=not shown) as bar:
        task = bar.add_task("audit", total=total)
        yield lambda text, samples: bar.update(task, description=text, advance=samples, refresh=True)


class Stages:
    """Two bars: samples that are explained, and classes that are clustered.

    begun: gives the work done in classes that are not finished, in classes.
    """

    def __init__(self, bar: Progress, samples: int, classes: int, begun: Callable[[], float]) -> None:
        self._bar, self._begun, self._finished = bar, begun, 0
        self._samples = bar.add_task("explaining", total=samples, visible=samples > 0)
        self._classes = bar.add_task("clustering", total=classes)

    def explaining(self, name: str) -> None:
        """Say which class is being explained."""
        self._bar.update(self._samples, description=f"explaining class {name}", refresh=True)

    def explained(self, samples: int) -> None:
        """Count samples that are done."""
        self._bar.update(self._samples, advance=samples, refresh=True)

    def clustered(self, name: str) -> None:
        """Count a class that is done."""
        self._finished += 1
        self._bar.update(self._classes, description=f"clustered class {name}")
        self.look()

    def look(self) -> None:
        """Show how far the classes have come that are not finished."""
        self._bar.update(self._classes, completed=self._finished + self._begun(), refresh=True)

    def keep_looking(self, over: threading.Event) -> None:
        """Look every second until it is over."""
        while not over.wait(1):
            self.look()


@contextmanager
def stages(samples: int, classes: int, begun: Callable[[], float] = lambda: 0.0) -> Iterator[Stages]:
    """Show what is explained and what is clustered, with the time left; the bars vanish at the end."""
    over = threading.Event()
    with _bars(speed_estimate_period=PERIOD) as bar:
        shown = Stages(bar, samples, classes, begun)
        looking = threading.Thread(target=shown.keep_looking, args=(over,), daemon=True)
        looking.start()
        try:
            yield shown
        finally:
            over.set()
            looking.join()
