"""The analysis `cleaning`: the data without an artifact, as a new folder of images that a network can be trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger

from unhans.artifacts import PAINTERS
from unhans.data import Listed, listed_rows, read_listed, remaining
from unhans.experiment.clean.cleaning_results import FOLDER, conclude_cleaning
from unhans.experiment.clean.copies import (
    Masks,
    check_settings,
    copies_of,
    drawn_masks,
    isolated_masks,
    keep_settings,
    write_copies,
)
from unhans.experiment.effect import read_mask
from unhans.experiment.run import ConfigurationError, Subject
from unhans.report import progress
from unhans.report.loggers import finish
from unhans.store import digest, held, sweep

Way = Literal["inpaint", "filter"]

OPTION = "analysis.suspects"


def clean_data(
    subject: Subject,
    suspects: str,
    way: Way = "inpaint",
    effects: str | None = None,
    mask: str | None = None,
    fill: str = "telea",
    examples: int = 8,
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
    _check(way, mask, effects, fill, examples)
    region = None if mask is None else read_mask(mask, subject.data.image_size)
    listed = read_listed(suspects, OPTION)
    rows = _rows(subject, listed, way)
    folder = subject.out / FOLDER
    _check_place(subject, folder)
    copies = [copy for split, data in _splits(subject).items() for copy in copies_of(data, split, folder)]
    chosen = [bool(rows[copy.split][copy.index]) for copy in copies]
    source = Path(effects or subject.out)
    settings = _settings(subject, rows, way, fill, region, source)
    check_settings(folder, settings)
    masks: Masks | None = None
    if way == "inpaint":
        labels = {copy.label for copy, own in zip(copies, chosen, strict=True) if own}
        masks = drawn_masks(region) if region is not None else isolated_masks(subject, source, labels, fill)
    failed = 1
    try:
        with held(subject.out):
            subject.begin()
            sweep(folder)
            keep_settings(folder, settings)
            with progress(len(copies)) as say:
                cleaned = write_copies(copies, chosen, masks, fill, say)
            numbers = conclude_cleaning(subject, cleaned, examples, logger)
        failed = 0
    finally:
        finish([logger] if logger else [], failed)
    return numbers


def _check(way: str, mask: str | None, effects: str | None, fill: str, examples: int) -> None:
    if way not in get_args(Way):
        raise ConfigurationError(f"analysis.way expects one of {', '.join(get_args(Way))}, got {way!r}.")
    if fill not in PAINTERS:
        raise ConfigurationError(f"analysis.fill expects one of {', '.join(PAINTERS)}, got {fill!r}.")
    if mask is not None and effects is not None:
        raise ConfigurationError("analysis.mask tells where the artifact lies; leave analysis.effects out.")
    if examples < 0:
        raise ConfigurationError(f"analysis.examples expects 0 or more, got {examples}.")


def _rows(subject: Subject, listed: Listed, way: Way) -> dict[str, NDArray[np.bool_]]:
    """Which samples are listed; a filter must leave every class some."""
    data = subject.data
    if way == "filter":
        remaining(listed, data.train_set, data.val_set, OPTION)
    return listed_rows(listed, data.train_set, data.val_set, OPTION)


def _splits(subject: Subject) -> dict[str, Any]:
    return {
        "train": subject.data.train_set.without_augmentation(),
        "val": subject.data.val_set.without_augmentation(),
    }


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
    parts = _splits(subject)
    images = {name: part.fingerprint(np.arange(len(part))) for name, part in parts.items()}
    settings: dict[str, Any] = {
        "way": way,
        "images": images,
        "listed": {name: digest(row) for name, row in rows.items()},
    }
    if way == "filter":
        return settings
    marks = sorted((source / "artifacts").glob("*.json")) if region is None else []
    artifact = digest(*(mark.read_bytes() for mark in marks)) if region is None else digest(region)
    return settings | {"fill": fill, "artifact": artifact}
