"""The ranking of classes as an object that prints, plots and saves itself."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, overload

from matplotlib.figure import Figure
from rich.console import Console

from unhans.report.figures import class_figure, ranking_figure
from unhans.report.html import render
from unhans.report.tables import RANKING_COLUMNS, ranking_table
from unhans.report.text import UNKNOWN, ranking_sentences
from unhans.spray import ClassAudit, Suspicion
from unhans.store.virelay import StoredMaps, class_files, load_analysis, open_maps

WIDTH = 100  # characters of the printed table


class Ranking(Sequence["Suspicion"]):
    """The classes of a data set, the most suspicious first, and where all that was found lies.

    It is a sequence of `Suspicion`. Printed it is the table of the command, in a notebook an HTML table.

    Attributes:
        entries: the classes.
        folder: of the files (`report.html`, `suspects.csv`, …), temporary unless one was chosen.
        classes: the name of every class, by label.
        subtitle: what was audited and what a heatmap means.
    """

    def __init__(
        self,
        entries: Sequence[Suspicion],
        folder: Path,
        classes: Sequence[str],
        subtitle: str,
        temporary: TemporaryDirectory[str] | None = None,
    ) -> None:
        self.entries, self.folder, self.classes, self.subtitle = tuple(entries), Path(folder), list(classes), subtitle
        self._temporary = temporary  # lives as long as the ranking

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, place: int) -> Suspicion: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Suspicion]: ...
    def __getitem__(self, place: int | slice) -> Suspicion | Sequence[Suspicion]:
        """Return the class at a place, 0 being the most suspicious."""
        return self.entries[place]

    def __str__(self) -> str:
        console = Console(width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False)
        with console.capture() as captured:
            console.print(ranking_table(self.entries))
        return captured.get()

    def __repr__(self) -> str:
        suspicious = ", ".join(entry.name for entry in self.suspicious) or "none"
        return f"Ranking of {len(self)} classes, suspicious: {suspicious}"

    def _repr_html_(self) -> str:
        """Show the ranking in a notebook."""
        return render(
            "ranking.html",
            caption=self.subtitle,
            columns=[name.replace("_", " ") for name in RANKING_COLUMNS],
            rows=[[_written(getattr(entry, name)) for name in RANKING_COLUMNS] for entry in self.entries],
            sentences=ranking_sentences(self.entries),
        )

    @property
    def suspicious(self) -> list[Suspicion]:
        """The classes that are suspicious."""
        return [entry for entry in self.entries if entry.suspicious]

    def audit(self, name: str) -> ClassAudit:
        """Return all that was found in a class; its heatmaps are read when they are sliced.

        Raises:
            ValueError: the class was not ranked.
        """
        return load_analysis(self._files(name))[0]

    def maps(self, name: str) -> StoredMaps:
        """Return the samples of a class: images, heatmaps, logits, paths; read when they are sliced.

        Raises:
            ValueError: the class was not ranked.
        """
        return open_maps(self._files(name))

    def plot(self, name: str | None = None, groups: int | None = None) -> Figure:
        """Draw the ranking, or the page of one class.

        Args:
            name: of the class; None draws the ranking.
            groups: striking groups with samples of their own on its page, 1 to 6; None: the most striking one.

        Raises:
            ValueError: the class was not ranked, or so many groups have no room.
        """
        if name is None:
            return ranking_figure(self.entries, self.subtitle)
        images = self.maps(name).images
        options = {"suspicion": self._entry(name), "subtitle": self.subtitle, "groups": groups}
        return class_figure(self.audit(name), images, self.classes, **options)

    def save(self, folder: str | Path) -> Path:
        """Copy all files to a folder, made if missing; return it.

        Raises:
            OSError: it cannot be written.
        """
        target = Path(folder)
        if target.resolve() != self.folder.resolve():
            shutil.copytree(self.folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock"))
        return target

    def _entry(self, name: str) -> Suspicion:
        found = [entry for entry in self.entries if entry.name == name]
        if not found:
            known = ", ".join(entry.name for entry in self.entries)
            raise ValueError(f"a class of the ranking must be one of {known}, got {name!r}")
        return found[0]

    def _files(self, name: str) -> Any:
        return class_files(self.folder, self._entry(name).label, name)


def _written(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
