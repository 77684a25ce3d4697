"""The analysis `cleaning`: the data without an artifact, as a new folder of images that a network can be trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from pydantic import NonNegativeInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import PAINTERS
from unhans.data import CleaningList, read_cleaning_list
from unhans.experiment.clean.copies import (
    SETTINGS,
    Cleaned,
    Masks,
    check_settings,
    copies_of,
    isolated_masks,
    write_copies,
)
from unhans.experiment.effect import read_mask
from unhans.experiment.run import Subject
from unhans.report import progress
from unhans.report.figures import blank, choose_evenly, headed, place, write
from unhans.report.loggers import log_once
from unhans.report.text import shorten
from unhans.store import digest, sweep, write_csv, write_figure, write_json
from unhans.terminal import CONSOLE, ConfigurationError

Way = Literal["inpaint", "filter"]

OPTION = "analysis.suspects"
FOLDER, TABLE, SHEET = "cleaned", "cleaning.csv", "cleaning.png"
COLUMNS = ("path", "split", "class", "outcome", "reason", "file")
TILE = 1.5  # inches
GAP = 0.06  # of a tile, between tiles
FOOT = 0.3  # inches
SIDE = 0.7  # inches for the words beside the rows
NAME = 22  # characters under a tile


def clean_data(
    subject: Subject,
    suspects: str,
    way: Way = "inpaint",
    effects: str | None = None,
    mask: str | None = None,
    fill: str = "telea",
    examples: NonNegativeInt = 8,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Write copies of all training and validation images, the listed ones without their artifact, or not at all.

    The copies are `out/cleaned/{train,val}/<class>/<name>.png`, which `data=image_folder` trains on; the originals are
    only read. Images keep their own size; those of data with a planted artifact have the size that the network sees,
    since it is planted there. What is written already stays, so an interrupted run is gone on with. `cleaning.csv` says
    what became of every listed image, `cleaning.png` shows some before and after.

    Args:
        subject: the network and its data.
        suspects: a table such as suspects.csv; its samples are cleaned, in the split that it names.
        way: "inpaint" paints over the artifact; "filter" leaves the listed images out.
        effects: the folder of analysis=effect whose isolated artifact is looked for in the listed images; None is out.
        mask: a picture, white where the artifact lies in every listed image, in place of that.
        fill: what stands where the artifact was: telea, navier_stokes, blur or mean.
        examples: images on the sheet, at most; 0 draws none.
        logger: gets the numbers and the sheet.
    """
    if fill not in PAINTERS:
        raise ConfigurationError(f"analysis.fill expects one of {', '.join(PAINTERS)}, got {fill!r}.")
    if mask is not None and effects is not None:
        raise ConfigurationError("analysis.mask tells where the artifact lies; leave analysis.effects out.")
    region = None if mask is None else read_mask(mask, subject.data.image_size)
    listed = read_cleaning_list(suspects, OPTION)
    rows = _rows(subject, listed, way)
    folder = subject.out / FOLDER
    _check_place(subject, folder)
    copies = [copy for split, data in subject.splits.items() for copy in copies_of(data, split, folder)]
    chosen = [bool(rows[copy.split][copy.index]) for copy in copies]
    source = Path(effects or subject.out)
    settings = _settings(subject, rows, way, fill, region, source)
    check_settings(folder, settings)
    masks: Masks | None = None
    if way == "inpaint":
        labels = {copy.label for copy, own in zip(copies, chosen, strict=True) if own}
        masks = (lambda copy: region) if region is not None else isolated_masks(subject, source, labels, fill)
    with subject.closing(logger):
        subject.begin()
        sweep(folder)
        write_json(folder / SETTINGS, settings)  # before the first image
        with progress(len(copies)) as say:
            cleaned = write_copies(copies, chosen, masks, fill, say)
        return conclude_cleaning(subject, cleaned, examples, logger)


def _rows(subject: Subject, listed: CleaningList, way: Way) -> dict[str, NDArray[np.bool_]]:
    """Which samples are listed; a filter must leave every class some."""
    data = subject.data
    if way == "filter":
        listed.other_rows(data.train_set, data.val_set)
    return listed.rows(data.train_set, data.val_set)


def _check_place(subject: Subject, folder: Path) -> None:
    """Refuse to write among the originals."""
    root = getattr(subject.data, "root", None)
    if root is not None and Path(root).resolve() in folder.resolve().parents:
        raise ConfigurationError(f"out={subject.out} lies in the data's own folder {root}; give another out=… folder.")


def _settings(
    subject: Subject,
    rows: Mapping[str, NDArray[np.bool_]],
    way: Way,
    fill: str,
    region: NDArray[np.bool_] | None,
    source: Path,
) -> dict[str, Any]:
    """What decides how the copies look."""
    images = {name: part.fingerprint(np.arange(len(part))) for name, part in subject.splits.items()}
    listed = {name: digest(row) for name, row in rows.items()}
    settings: dict[str, Any] = {"way": way, "images": images, "listed": listed}
    if way == "filter":
        return settings
    marks = sorted((source / "artifacts").glob("*.json")) if region is None else []
    artifact = digest(*(mark.read_bytes() for mark in marks)) if region is None else digest(region)
    return settings | {"fill": fill, "artifact": artifact}


def conclude_cleaning(
    subject: Subject, cleaned: Sequence[Cleaned], examples: int, logger: Logger | None
) -> dict[str, float]:
    """Write the table and the sheet, and say what was done."""
    listed = [one for one in cleaned if one.outcome != "not listed"]
    classes = subject.data.classes
    table = []
    for one in listed:
        file = str(one.copy.file) if one.copy.file.is_file() else ""
        table.append((one.copy.path, one.copy.split, classes[one.copy.label], one.outcome, one.reason, file))
    write_csv(subject.out / TABLE, COLUMNS, table)
    counts = Counter(one.outcome for one in cleaned)
    CONSOLE.print(_account(counts, subject.out))
    for reason, count in Counter(one.reason for one in listed if one.outcome == "unchanged").items():
        CONSOLE.print(f"[yellow]{count} of them unchanged:[/] {escape(reason)}")
    changed = [one for one in cleaned if one.outcome == "inpainted"]
    shown = [changed[row] for row in choose_evenly(range(len(changed)), examples)]
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


def cleaning_sheet(examples: Sequence[Cleaned], title: str, subtitle: str) -> Figure:
    """Draw each example's original above its copy."""
    across = max(len(examples), 4)
    width, height = TILE * across + SIDE + 0.2, 2 * TILE + FOOT
    figure, share = headed(width, height, title, subtitle)
    axes = figure.add_axes((SIDE / width, share * FOOT / height, TILE * across / width, share * 2 * TILE / height))
    step = 1 + GAP
    blank(axes, across * step, 2 * step)
    for row, word in enumerate(("before", "after")):
        write(axes, -GAP, row * step + 0.5, word, ha="right", va="center")
    for column, one in enumerate(examples):
        place(axes, np.asarray(one.copy.picture()), column * step, 0)
        with Image.open(one.copy.file) as picture:
            place(axes, np.asarray(picture.convert("RGB")), column * step, step)
        name = shorten(one.copy.file.stem, NAME)
        write(axes, column * step + 0.5, 1 + step + GAP, name, ha="center", va="top", fontsize=6)
    return figure
