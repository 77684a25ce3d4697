"""Weights & Biases: a logger for one run, and what is sent to it: numbers, pictures and tables in one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger

from unhans.report.tables import Rows


def wandb_logger(
    project: str = "unhans",
    name: str | None = None,
    group: str | None = None,
    offline: bool = True,
    save_dir: str = ".",
    **settings: Any,
) -> WandbLogger:
    """Return a logger whose run is offline on its own: Lightning's `offline=True` would turn the whole process so.

    Args:
        project, name, group: of the run.
        offline: no account and no network is needed.
        save_dir: where its files go; made if missing.
        **settings: for `wandb.init`, such as tags or notes.
    """
    Path(save_dir).mkdir(parents=True, exist_ok=True)  # W&B would take the system's temporary folder, in silence
    import wandb

    mode = "offline" if offline else "online"
    quiet = wandb.Settings(silent=offline)  # offline it has nothing to say but where its files are
    logger = WandbLogger(
        project=project, name=name, group=group, save_dir=save_dir, mode=mode, settings=quiet, **settings
    )
    logger._wandb_init.pop("anonymous", None)  # Lightning 2.6 always gives it, W&B warns that it has no effect
    return logger


def log_to_wandb(
    logger: Any,
    numbers: Mapping[str, float],
    pages: Mapping[str, Sequence[Path]],
    tables: Mapping[str, Rows],
    step: int,
) -> None:
    """Send one row to a W&B logger; a cell of a table that is a path is shown as the picture that lies there.

    Args:
        logger: Lightning's.
        numbers: value by key; with "epoch" among them it is the axis of the others.
        pages: picture files by key.
        tables: columns and rows by key.
        step: the trainer's.
    """
    import wandb

    for key in numbers:
        if "epoch" in numbers and key != "epoch":
            logger.experiment.define_metric(key, step_metric="epoch")
    images = {key: [wandb.Image(str(path), caption=path.stem) for path in paths] for key, paths in pages.items()}
    rows = {
        key: wandb.Table(columns=list(columns), data=[[_cell(value) for value in row] for row in data])
        for key, (columns, data) in tables.items()
    }
    logger.log_metrics({**numbers, **images, **rows}, step)


def _cell(value: Any) -> Any:
    import wandb

    return wandb.Image(str(value)) if isinstance(value, Path) else value
