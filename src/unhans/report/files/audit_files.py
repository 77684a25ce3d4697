"""The files of one audit: a page and a data file per class, the ranking, and the samples to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.class_names import Names
from unhans.report.figures import class_figure, ranking_figure
from unhans.report.loggers import logger_keys
from unhans.report.tables import RANKING_COLUMNS, Row, suspect_rows, write_ranking, write_suspects
from unhans.spray import ClassAudit, Suspicion
from unhans.store import file_stem, write_figure
from unhans.store.virelay import save_audit


class AuditPages:
    """Writes what one audit found, class by class, each file whole or not at all (law 4).

    Args:
        folder: where the files go; made when the first is written.
        paths: the path of every sample of the audited data set, by index.
        classes: the name of every class, by label.
        subtitle: a line on every page: the epoch and what its heatmaps mean.

    Attributes:
        keys: what every class is called in the keys of a logger, by label.
        figures: the pages written so far, by the key under which they are logged.
        tables: columns and rows of the ranking and the suspects, once finished.
        suspects: by label the rows of suspects.csv; those of classes that are not audited this time may be put in.
    """

    def __init__(self, folder: Path, paths: Sequence[str], classes: Mapping[int, str], subtitle: str) -> None:
        self.folder, self.paths, self.subtitle = folder, paths, subtitle
        self.classes = Names(classes.get(label, str(label)) for label in range(max(classes) + 1))
        self.keys = logger_keys(classes)
        self.figures: dict[str, Path] = {}
        self.tables: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = {}
        self.suspects: dict[int, list[Row]] = {}

    def add(
        self,
        audit: ClassAudit,
        images: Tensor,
        suspicion: Suspicion,
        shown: bool = True,
        carriers: NDArray[np.bool_] | None = None,
    ) -> None:
        """Write the data of one class and, where it is shown, its page.

        images: (n, 3, H, W) in [0, 1]; carriers: (n,), who carries its proven artifact.
        """
        stem = self.folder / file_stem(audit.label, audit.name)
        save_audit(stem.with_suffix(".h5"), audit)
        paths = [self.paths[i] for i in audit.index]
        self.suspects[audit.label] = suspect_rows(audit, suspicion, self.classes, paths, carriers)
        if not shown:
            return
        page = stem.with_suffix(".jpg")
        figure = class_figure(audit, images.numpy(), self.classes, suspicion=suspicion, subtitle=self.subtitle)
        write_figure(page, figure)
        self.figures[f"audit/{self.keys[audit.label]}/page"] = page

    def finish(self, ranking: Sequence[Suspicion], epochs: Mapping[int, int] | None = None) -> None:
        """Write the ranking over all classes and the list of suspicious samples.

        epochs: by label, after which each class was audited last, where that differs.
        """
        write_ranking(self.folder / "ranking.csv", ranking, epochs)
        suspects = (row for entry in ranking for row in self.suspects.get(entry.label, []))
        write_suspects(self.folder / "suspects.csv", suspects)
        write_figure(self.folder / "ranking.png", ranking_figure(ranking, self.subtitle))
        self.figures["audit/ranking"] = self.folder / "ranking.png"
        self.tables["audit/ranking_table"] = (
            RANKING_COLUMNS,
            [[getattr(entry, name) for name in RANKING_COLUMNS] for entry in ranking],
        )
