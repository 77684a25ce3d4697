"""A Weights & Biases logger for one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger


def wandb_logger(
    project: str = "unhans",
    name: str | None = None,
    group: str | None = None,
    offline: bool = True,
    save_dir: str = ".",
    **settings: Any,
) -> WandbLogger:
    """Return a logger whose run is offline on its own: Lightning's `offline=True` would turn the whole process so.

    settings go to `wandb.init`, such as tags or notes. Online, an account and a network are needed.
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
