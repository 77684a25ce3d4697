"""Weights & Biases in a sweep: one group of runs, each with what was swept and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from pytorch_lightning.loggers import Logger, WandbLogger

from unhans.experiment.sweep.sweep_notes import overrides_of, plain
from unhans.report.loggers import wandb_logger


def sweep_logger(
    project: str = "unhans",
    name: str | None = None,
    group: str | None = None,
    offline: bool = True,
    save_dir: str = ".",
    **settings: Any,
) -> WandbLogger:
    """Return a W&B logger; of a sweep's job with the values given to it as the run's configuration.

    group: None is the name of the sweep's folder, and no group for a single run. A panel of parallel coordinates takes
    its axes from the configuration and from the summary, where `summarise` puts the results.
    """
    if _in_sweep():
        job = HydraConfig.get()
        group = group or Path(job.sweep.dir).absolute().name
        values = {key: plain(value) for key, value in overrides_of(job.overrides.task).items()}
        settings["config"] = values | settings.get("config", {})
    return wandb_logger(project, name, group, offline, save_dir, **settings)


def summarise(logger: Logger | None, numbers: Mapping[str, float]) -> None:
    """Put a run's results into its W&B summary; other loggers have none."""
    if isinstance(logger, WandbLogger):
        logger.experiment.summary.update(dict(numbers))


def _in_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
