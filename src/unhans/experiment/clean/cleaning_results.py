"""What a cleaning led to: its table, its contact sheet, and the words about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.clean.cleaning_sheet import cleaning_sheet, examples_of
from unhans.experiment.clean.copies import Cleaned
from unhans.experiment.run import CONSOLE, Subject
from unhans.report.loggers import log_once
from unhans.store import write_csv, write_figure

FOLDER, TABLE, SHEET = "cleaned", "cleaning.csv", "cleaning.png"
COLUMNS = ("path", "split", "class", "outcome", "reason", "file")


def conclude_cleaning(
    subject: Subject, cleaned: Sequence[Cleaned], examples: int, logger: Logger | None
) -> dict[str, float]:
    """Write the table and the sheet, and say what was done."""
    listed = [one for one in cleaned if one.outcome != "not listed"]
    classes = subject.data.classes
    table = [
        (one.copy.path, one.copy.split, classes[one.copy.label], one.outcome, one.reason, _file(one)) for one in listed
    ]
    write_csv(subject.out / TABLE, COLUMNS, table)
    counts = Counter(one.outcome for one in cleaned)
    CONSOLE.print(_account(counts, subject.out))
    for reason, count in Counter(one.reason for one in listed if one.outcome == "unchanged").items():
        CONSOLE.print(f"[yellow]{count} of them unchanged:[/] {escape(reason)}")
    shown = examples_of(cleaned, examples)
    sheet = {}
    if shown:
        title = f"{counts['inpainted']} images without their artifact"
        words = f"{len(shown)} of them, before and after; the copies are in {subject.out / FOLDER}"
        write_figure(subject.out / SHEET, cleaning_sheet(shown, title, words))
        sheet = {"cleaning": subject.out / SHEET}
    numbers = {"cleaned": counts["inpainted"], "left_out": counts["left out"], "unchanged": counts["unchanged"]}
    scalars = {name: float(value) for name, value in numbers.items()}
    if logger:
        log_once([logger], {f"cleaning/{name}": value for name, value in scalars.items()}, sheet)
    return scalars


def _file(one: Cleaned) -> str:
    return str(one.copy.file) if one.copy.file.is_file() else ""


def _account(counts: Mapping[str, int], out: Path) -> str:
    """Say in a sentence or two what became of the images, and how to train on them."""
    written = sum(counts[name] for name in ("inpainted", "unchanged", "not listed"))
    listed = sum(counts[name] for name in ("inpainted", "unchanged", "left out"))
    found = f"{counts['inpainted']} cleaned, {counts['unchanged']} without the artifact"
    what = f"{counts['left out']} left out" if counts["left out"] else found
    broken = f"; {counts['unreadable']} cannot be read and are left out" if counts["unreadable"] else ""
    return (
        f"{listed} listed images: {what}{broken}. {written} images are in {out / FOLDER}; train on them with\n"
        f"  train.py data=image_folder data.root={out / FOLDER}"
    )
