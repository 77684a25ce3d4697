"""The files of one audit: pages and data of classes, the ranking, the samples to look at, what was acted on since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.class_names import Names
from unhans.effects import MINIMUM, Case
from unhans.repair import Act, ProvenArtifact
from unhans.report.figures import class_figure, monitor_figure, ranking_figure, separability_figure
from unhans.report.files.case_files import write_case, write_cases
from unhans.report.loggers import logger_keys
from unhans.report.tables import (
    SUSPECT_COLUMNS,
    Row,
    Rows,
    case_rows,
    effect_rows,
    ranking_rows,
    separability_rows,
    striking_rows,
    suspect_rows,
)
from unhans.report.text import ACTED, PROBABILITY
from unhans.spray import ClassAudit, Suspicion
from unhans.store import file_stem, write_csv, write_figure
from unhans.store.virelay import save_audit


class AuditPages:
    """Writes what one audit found, class by class, each file whole or not at all (law 4).

    Args:
        folder: where the files go; made when the first is written.
        paths: the path of every sample of the audited data set, by index.
        classes: the name of every class, by label.
        subtitle: a line on every page: the epoch and what its heatmaps mean.
        rows: (n,) of every sample in the data set as it was given, where a sample of several classes occurs several
            times; None where these are the same.
        split: the samples' split, "train" or "val"; None for another data set.

    Attributes:
        keys: what every class is called in the keys of a logger, by label.
        figures: the pages written so far, by the key under which they are logged.
        tables: columns and rows of the ranking and the suspects, once finished.
        suspects: by label the rows for suspects.csv, of which those are written that count in today's ranking; those of
            classes that are not audited this time may be put in.
    """

    def __init__(
        self,
        folder: Path,
        paths: Sequence[str],
        classes: Mapping[int, str],
        subtitle: str,
        rows: NDArray[np.int64] | None = None,
        split: str | None = None,
    ) -> None:
        self.folder, self.paths, self.subtitle, self.rows, self.split = folder, paths, subtitle, rows, split
        self.classes = Names(classes.get(label, str(label)) for label in range(max(classes) + 1))
        self.keys = logger_keys(classes)
        self.figures: dict[str, Path] = {}
        self.tables: dict[str, Rows] = {}
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

        Args:
            audit: the class, n samples.
            images: (n, 3, H, W) in [0, 1].
            suspicion: its place in the ranking.
            shown: whether it gets a page.
            carriers: (n,) those that carry its proven artifact, None without one.

        Raises:
            OSError: a file cannot be written.
        """
        stem = self.folder / file_stem(audit.label, audit.name)
        paths = [self.paths[i] for i in audit.index]
        audit = audit if self.rows is None else replace(audit, index=self.rows[audit.index])
        save_audit(stem.with_suffix(".h5"), audit)
        self.suspects[audit.label] = striking_rows(audit, self.classes, paths, carriers)
        if not shown:
            return
        page = stem.with_suffix(".jpg")
        figure = class_figure(audit, images.numpy(), self.classes, suspicion=suspicion, subtitle=self.subtitle)
        write_figure(page, figure)
        self.figures[f"audit/{self.keys[audit.label]}/page"] = page

    def add_case(self, case: Case, images: Tensor, heatmaps: NDArray[np.floating]) -> None:
        """Write the layer and the figures of a case beside the page of its class, and have them logged.

        Args:
            case: what was found.
            images: (n, 3, H, W) in [0, 1] of the class.
            heatmaps: (n, H, W), theirs.
        """
        written = write_case(self.folder, case, self.classes, images.numpy(), heatmaps)
        self.figures |= {f"audit/{self.keys[case.label]}/{name}": path for name, path in written.items()}

    def add_cases(self, cases: Sequence[Case]) -> None:
        """Write all numbers of the cases, and have their table logged."""
        if cases:
            write_cases(self.folder / "cases.json", cases)
            write_csv(
                self.folder / "effects.csv",
                *effect_rows(cases, {self.split: np.arange(len(self.paths))} if self.split else None),
            )
            self.tables["audit/cases"] = case_rows(cases)

    def finish(self, ranking: Sequence[Suspicion], epochs: Mapping[int, int] | None = None) -> None:
        """Write the ranking over all classes, how separable they are, and the list of suspicious samples.

        Args:
            ranking: the classes, the one that stands out most first.
            epochs: by label, after which each class was audited last, where that differs.
        """
        write_csv(self.folder / "ranking.csv", *ranking_rows(ranking, epochs))
        suspects = (row for entry in ranking for row in suspect_rows(self.suspects.get(entry.label, []), entry))
        write_csv(self.folder / "suspects.csv", SUSPECT_COLUMNS, suspects)
        write_csv(self.folder / "separability.csv", *separability_rows(ranking))
        for name, draw in {"ranking": ranking_figure, "separability": separability_figure}.items():
            self.figures[f"audit/{name}"] = self.folder / f"{name}.png"
            write_figure(self.figures[f"audit/{name}"], draw(ranking, self.subtitle))
        self.tables["audit/ranking_table"] = ranking_rows(ranking, epochs)


def charted(followed: Sequence[ProvenArtifact]) -> dict[str, float]:
    """Return what a logger can plot: each artifact's last effect, how many were acted on and how many are still proven.

    The keys hold the class's name, and a number from the second artifact of a class on.
    """
    numbers = {
        "unhans/acted": float(sum(each.acted for each in followed)),
        "unhans/proven": float(sum(each.verdicts[-1] == "proven" for each in followed)),
    }
    for name, each in zip(_names(followed), followed, strict=True):
        values = PROBABILITY.numbers(each.effects[-1]) | {"proven": float(each.verdicts[-1] == "proven")}
        numbers |= {f"unhans/{name}/{key}": value for key, value in values.items()}
    return numbers


def write_course(folder: Path, followed: Sequence[ProvenArtifact], act: Act) -> dict[str, Path]:
    """Draw the effect of every artifact since it was proven; return the pictures by their key in a logger."""
    written = {}
    for name, each in zip(_names(followed), followed, strict=True):
        key = f"class {each.name!r}, proven after epoch {each.since}: {ACTED[act if each.acted else 'none']} since"
        path = folder / f"course-{file_stem(each.label, name)}.png"
        write_figure(path, monitor_figure(each.epochs, {key: each.effects}, MINIMUM))
        written[f"unhans/{name}"] = path
    return written


def _names(followed: Sequence[ProvenArtifact]) -> list[str]:
    """The class of each artifact as in the keys of a logger, numbered from the second of a class on."""
    names = [each.name.replace("/", "_") for each in followed]
    before = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{name} {count + 1}" if count else name for name, count in zip(names, before, strict=True)]
