"""One door to every Lightning logger: what an audit logs arrives whole, once per epoch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from unhans.report.loggers.wandb_logger import log_to_wandb
from unhans.report.tables import Rows

Pictures = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

MOST_IMAGES = 108  # per key and step; W&B drops what is more


def logger_keys(names: Mapping[Hashable, str]) -> dict[Hashable, str]:
    """Return what names are called in the keys of a logger, each a part of its own.

    A slash would open another level, so it becomes "_". A name that others have too is followed by what it stands for:
    two classes of ImageNet are called "crane".

    >>> logger_keys({134: "crane", 517: "crane", 3: "cat/dog"})
    {134: 'crane (134)', 517: 'crane (517)', 3: 'cat_dog'}
    """
    plain = {each: name.replace("/", "_") for each, name in names.items()}
    counts = Counter(plain.values())
    return {each: name if counts[name] == 1 else f"{name} ({each})" for each, name in plain.items()}


@rank_zero_only
def log_epoch(
    loggers: Sequence[Logger],
    epoch: int | None,
    step: int,
    scalars: Mapping[str, float],
    figures: Mapping[str, Pictures] | None = None,
    tables: Mapping[str, Rows] | None = None,
) -> None:
    """Send all that one audit found to every logger, in one call each.

    W&B gets scalars, figures and tables in a single row, with `epoch` (the axis of their charts) and
    `trainer/global_step` in it and no step of its own: W&B drops media that come with a step older than the last.
    TensorBoard gets scalars and figures, any other logger the scalars.

    Args:
        loggers: a trainer's `loggers`.
        epoch: the epoch after which the audit took place, None without one.
        step: the trainer's `global_step`.
        scalars: value by key, such as `audit/tau/3`.
        figures: picture file or files by key; more than 108 go on under `key/2`, `key/3` and so on.
        tables: columns and rows by key; a cell that is a `Path` is shown as a picture.

    Raises:
        ValueError: two things have one key.
    """
    numbers = dict(scalars) if epoch is None else {**scalars, "epoch": epoch}
    pages, tables = _pages(figures or {}), tables or {}
    _check_keys(numbers, pages, tables)
    for logger in loggers:
        if _is(logger, "WandbLogger"):
            log_to_wandb(logger, numbers, pages, tables, step)
            continue
        logger.log_metrics(numbers, step)
        if _is(logger, "TensorBoardLogger"):
            _tensorboard_images(logger, pages, step)
        logger.save()  # the CSV logger keeps rows in memory, where a killed run would lose them


def log_once(
    loggers: Sequence[Logger],
    scalars: Mapping[str, float],
    figures: Mapping[str, Pictures] | None = None,
    tables: Mapping[str, Rows] | None = None,
) -> None:
    """Send what an analysis of a finished model found, as `log_epoch` does, but without an epoch."""
    log_epoch(loggers, None, 0, scalars, figures, tables)


@rank_zero_only
def finish(loggers: Sequence[Logger], exit_code: int = 0) -> None:
    """Close every logger; a W&B run ends with this exit code, so that a failed run is not shown as finished.

    Lightning leaves a W&B run open after training, and the next job of the same process would log into it.
    """
    try:
        for logger in loggers:
            logger.finalize("success" if exit_code == 0 else "failed")
    finally:
        if any(_is(logger, "WandbLogger") for logger in loggers):
            import wandb

            if wandb.run is not None:
                wandb.finish(exit_code=exit_code)


def _is(logger: Any, name: str) -> bool:
    """Whether a logger is Lightning's of this name, of the package `pytorch_lightning` or `lightning.pytorch`."""
    return any(each.__name__ == name for each in type(logger).__mro__)


def _check_keys(*given: Mapping[str, Any]) -> None:
    """Refuse a key under which two things would be logged: a logger would keep one of them."""
    counts = Counter(key for each in given for key in each)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"every number, figure and table needs a key of its own, got two things under {twice[0]!r}")


def _pages(figures: Mapping[str, Pictures]) -> dict[str, list[Path]]:
    pages = {}
    for key, files in figures.items():
        paths = [Path(files)] if isinstance(files, str | os.PathLike) else [Path(file) for file in files]
        for start in range(0, len(paths), MOST_IMAGES):
            name = key if start == 0 else f"{key}/{start // MOST_IMAGES + 1}"
            pages[name] = paths[start : start + MOST_IMAGES]
    return pages


def _tensorboard_images(logger: Any, pages: Mapping[str, Sequence[Path]], step: int) -> None:
    for key, paths in pages.items():
        for path in paths:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            name = key if len(paths) == 1 else f"{key}/{path.stem}"
            logger.experiment.add_image(name, pixels, step, dataformats="HWC")
    logger.experiment.flush()
