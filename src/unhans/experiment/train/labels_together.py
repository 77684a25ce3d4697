"""Which classes the images of a training show together, before it begins."""

from __future__ import annotations

from pathlib import Path

from unhans.data import ImageDataset, LabelVectors
from unhans.faithfulness import CoOccurrence, co_occurrence
from unhans.report.tables.quality import co_occurrence_rows, co_occurrence_table
from unhans.store import write_csv
from unhans.terminal import CONSOLE


def labels_together(dataset: ImageDataset) -> tuple[CoOccurrence, int]:
    """Count which classes the images of a data set with several labels show together, and the images without any."""
    held = LabelVectors(dataset).labels.astype(bool)
    shown = [{name for name, one in zip(dataset.classes, row, strict=True) if one} for row in held]
    return co_occurrence(shown), sum(not names for names in shown)


def tell_labels_together(dataset: ImageDataset, out: Path) -> None:
    """Print the table and write `co_occurrence.csv` to a folder."""
    found, without = labels_together(dataset)
    write_csv(out / "co_occurrence.csv", *co_occurrence_rows(found))
    CONSOLE.print(co_occurrence_table(found, without))
