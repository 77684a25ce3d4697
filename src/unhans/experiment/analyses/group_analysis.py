"""The analysis `groups`: accuracy in groups that a table gives, and what an artifact does in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import Placement
from unhans.data import SampleGroups, read_groups_table
from unhans.effects import FEWEST, Effect, draw_evenly, flip_effect, measure
from unhans.effects.interventions import pasted
from unhans.experiment.repair import affected_of
from unhans.experiment.run import Subject
from unhans.harness import planted_in
from unhans.repair import KnownArtifact
from unhans.report import progress
from unhans.report.figures.quality import group_figure
from unhans.report.html import PageTable, write_table_page
from unhans.report.loggers import log_once
from unhans.report.tables.quality import (
    EFFECT_HEADINGS,
    GROUP_HEADINGS,
    group_cells,
    group_effect_cells,
    group_effect_rows,
    group_effect_table,
    group_rows,
    group_table,
)
from unhans.report.text.quality import (
    GROUP_EFFECT_READING,
    GROUP_READING,
    gap_sentences,
    groups_headline,
    unknown_groups_sentence,
)
from unhans.stats import GroupCount, group_counts, widest_gap
from unhans.store import write_csv, write_figure
from unhans.terminal import CONSOLE, ConfigurationError

PAGE = "groups.html"
MOST_ROWS = 200  # of a table of the page


def measure_groups(
    subject: Subject,
    groups: str,
    bins: Sequence[float] | None = None,
    artifact: str | None = None,
    of: str | None = None,
    placement: Placement = "top_left",
    size: float | None = None,
    samples: int = 2000,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Tell the accuracy of validation images by group and class, the widest gap, and an artifact's effect by group.

    Args:
        subject: the network and its data.
        groups: "TABLE.csv:column"; see `unhans.data.read_groups_table`.
        bins: bounds that make groups of numbers, such as of ages.
        artifact: a picture, or the folder of analysis=effect; None: the artifact that the data plant, if they do.
        of: name of the artifact's class, which a picture needs.
        placement, size: where a picture goes, and its share of the image; None keeps its own pixels.
        samples: validation images of other classes that the artifact is put on, at most.
        logger: gets the numbers, the tables and the figure.

    Raises:
        ConfigurationError, ValueError, OSError: the table or the artifact cannot be used.
    """
    try:
        table = read_groups_table(groups, "analysis.groups", bins)
        known = _Grouped.of(subject, table)
    except ValueError as error:
        raise ConfigurationError(f"{error}.") from error
    wanted = artifact is not None or planted_in(subject.both) is not None
    found = affected_of(subject, artifact, of, placement=placement, size=size) if wanted else None
    with subject.closing(logger):
        subject.begin()
        counts = known.counted()
        effects = {} if found is None else known.effects(found, samples)
        return _conclude(known, counts, effects, found, logger)


@dataclass(frozen=True)
class _Grouped:
    """Validation images with their groups.

    Attributes:
        table: what gave the groups.
        index: (n,) of the images in the subject's `both`.
        groups: (n,) theirs, "" where nobody knows.
    """

    subject: Subject
    table: SampleGroups
    index: NDArray[np.int64]
    groups: NDArray[np.str_]

    @classmethod
    def of(cls, subject: Subject, table: SampleGroups) -> _Grouped:
        index = subject.rows["val"]
        index = index[subject.both.labels[index] >= 0]
        return cls(subject, table, index, table.groups([subject.both.paths[i] for i in index]))

    @property
    def empty(self) -> list[str]:
        """Groups of the table without a validation image."""
        return sorted(set(self.table.of.values()) - set(self.groups.tolist()) - {""})

    def named(self, index: NDArray[np.int64]) -> NDArray[np.str_]:
        """The groups of some of the images."""
        return self.groups[np.searchsorted(self.index, index)]

    def counted(self) -> list[GroupCount]:
        """Predict every image once, and count; what cannot be read counts nowhere."""
        bench, read, correct = self.subject.bench(), [self.index[:0]], [np.zeros(0, dtype=bool)]
        with progress(len(self.index)) as say:
            for images, kept in bench.batches(self.index):
                read.append(kept)
                correct.append(bench.predict(images).argmax(1) == bench.labels[kept])
                say("predicting", len(kept))
        index = np.concatenate(read)
        if not len(index):
            raise ValueError("accuracy in groups needs validation images that can be read, got none")
        return group_counts(bench.labels[index], self.named(index), np.concatenate(correct))

    def effects(self, known: KnownArtifact, samples: int) -> dict[str, Effect]:
        """What an artifact does to images of other classes, by group; images that carry it already are left out."""
        bench, both = self.subject.bench(), self.subject.both
        others = self.index[(both.labels[self.index] != known.label) & ~both.carriers[self.index]]
        if not len(others):
            raise ValueError(
                f"the effect of an artifact of {known.class_name!r} needs samples of other classes, got none"
            )
        chosen = draw_evenly(both.labels, others, samples, self.subject.seed)
        with progress(2 * len(chosen)) as say:
            change = {"artifact": pasted(known.artifact)}
            found = measure(bench, chosen, change, lambda images: say("putting the artifact on", images))
        groups, after = self.named(found.indices), found.after["artifact"]
        return {
            name: flip_effect(found.before[groups == name], after[groups == name], known.label, self.subject.seed)
            for name in sorted(set(groups.tolist()))
        }


def _conclude(
    known: _Grouped,
    counts: Sequence[GroupCount],
    effects: dict[str, Effect],
    artifact: KnownArtifact | None,
    logger: Logger | None,
) -> dict[str, float]:
    """Print and write the tables, draw the figure, and return the numbers."""
    out, classes = known.subject.out, known.subject.data.classes
    told = [each for each in counts if each.group]
    overall = [each for each in told if each.label is None]
    gap = widest_gap(overall, FEWEST)
    CONSOLE.print(group_table(counts, classes, known.table.column))
    unknown = sum(each.n for each in counts if not each.group and each.label is None)
    said = (*gap_sentences(told, classes), unknown_groups_sentence(unknown, known.empty, known.table.column))
    sentences = [sentence for sentence in said if sentence]
    for sentence in sentences:
        CONSOLE.print(escape(sentence))
    tables = {"groups/accuracy": group_rows(counts, classes)}
    picture = out / "groups.png"
    write_figure(picture, group_figure(counts, classes, known.table.column), dpi=150)
    if artifact is not None:
        CONSOLE.print(group_effect_table(effects, artifact.class_name, known.table.column))
        tables["groups/effects"] = group_effect_rows(effects, artifact.class_name)
    files = {"groups/accuracy": out / "groups.csv", "groups/effects": out / "group_effects.csv"}
    for name, rows in tables.items():
        write_csv(files[name], *rows)
    headline = groups_headline(sum(each.n for each in counts if each.label is None), known.table.column)
    parts = _page_tables(counts, effects, classes, known.table.column, artifact)
    downloads = {files[name].name: files[name] for name in tables}
    write_table_page(
        out / PAGE, "Is it as good for every group?", "accuracy in groups", [headline, *sentences], parts,
        {"Accuracy": picture}, downloads,
    )  # fmt: skip
    CONSOLE.print(f"The page with all of it is [bold]{escape(str(out / PAGE))}[/]")
    numbers = {f"accuracy/{each.group}": each.accuracy for each in overall}
    if gap is not None:
        low, high = gap.interval
        numbers |= {"gap": gap.value, "gap_low": low, "gap_high": high, "worst_group": gap.worst.accuracy}
    if logger:
        log_once([logger], numbers, {"groups/figure": picture}, tables)
    return numbers


def _page_tables(
    counts: Sequence[GroupCount],
    effects: dict[str, Effect],
    classes: Sequence[str],
    column: str,
    artifact: KnownArtifact | None,
) -> list[PageTable]:
    overall, of_classes = group_cells(counts, classes)
    left = max(0, len(of_classes) - MOST_ROWS)
    more = f" {left} more rows are in groups.csv." if left else ""
    found = [
        PageTable("All classes together", column, GROUP_HEADINGS, overall, GROUP_READING),
        PageTable("Class by class", f"class: {column}", GROUP_HEADINGS, of_classes[:MOST_ROWS], GROUP_READING + more),
    ]
    if artifact is not None:
        heading = f"The artifact of {artifact.class_name} on images of other classes"
        rows = group_effect_cells(effects)
        found.insert(1, PageTable(heading, column, EFFECT_HEADINGS, rows, GROUP_EFFECT_READING))
    return found
