"""Training a network further: the same schedule and the same order of samples for every way of repairing it."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.optim import Optimizer

from unhans.callbacks import ProgressBar
from unhans.data.sources import ImageData
from unhans.experiment.run import Classifier, build
from unhans.terminal import ConfigurationError, quiet_lightning

HALFWAY = "unfinished"  # folder of the state after the last whole epoch; it is gone once the result is written
ELSEWHERE = ("default_root_dir", "log_every_n_steps", "enable_model_summary", "num_sanity_val_steps")


@dataclass(frozen=True)
class FineTuning:
    """How networks are trained.

    Attributes:
        optimizer, scheduler: as of a `Classifier`.
        trainer: makes a new one from further arguments.
        epochs: how many.
        settings: all of this in plain values, by which results are known again.
    """

    optimizer: Callable[[Iterable[Tensor]], Optimizer]
    scheduler: Callable[[Optimizer], Any] | None
    trainer: Callable[..., pl.Trainer]
    epochs: int
    settings: Mapping[str, Any]

    def tuned(
        self, network: nn.Module, data: ImageData, seed: int, callbacks: Sequence[pl.Callback], folder: Path
    ) -> nn.Module:
        """Train the network, which is changed, and return it in evaluation mode.

        A run that was killed goes on after its last whole epoch; what it left in `folder` is kept until `forget` is
        called. Raises KeyboardInterrupt for an interruption.
        """
        quiet_lightning()
        classifier = Classifier(network, data.classes, self.optimizer, self.scheduler).train()
        halfway = ModelCheckpoint(folder / HALFWAY, "epoch", save_last=True, save_on_train_epoch_end=True)
        own = [*callbacks, EpochSeed(seed), halfway, ProgressBar()]
        trainer = self.trainer(
            callbacks=own, logger=False, default_root_dir=str(folder), limit_val_batches=0, enable_checkpointing=True
        )
        last = folder / HALFWAY / "last.ckpt"
        fit(trainer, classifier, ordered(data, seed), str(last) if last.is_file() else None)
        return classifier.model.eval()


def images_key(data: ImageData) -> dict[str, Any]:
    """Return by what the images that a network is trained on are known again: their content, batches and mirroring."""
    images = data.train_set
    return {"train": images.fingerprint(range(len(images))), "batch_size": data.batch_size, "flip": data.flip}


def fine_tuning_of(cfg: DictConfig, accelerator: str | None = None) -> FineTuning:
    """Return the fine-tuning of a configuration with `optimizer`, `scheduler` and `trainer`.

    Args:
        cfg: of the command.
        accelerator: of the device that the network is on; None leaves it to the trainer.

    Raises:
        ConfigurationError: the trainer has several devices; networks are repaired one after the other, each on one.
    """
    if several_processes(cfg.trainer, accelerator):
        given = f"devices={cfg.trainer.get('devices', 1)} and strategy={cfg.trainer.get('strategy', 'auto')}"
        raise ConfigurationError(
            "a repair trains one network after the other on one device; expected trainer.devices=1 and "
            f"trainer.strategy=auto, got {given}."
        )
    keys = ("optimizer", "scheduler", "trainer")
    settings = {key: OmegaConf.to_container(cfg[key], resolve=True) if cfg.get(key) else {} for key in keys}
    settings["trainer"] = {name: value for name, value in settings["trainer"].items() if name not in ELSEWHERE}
    where = {} if accelerator is None else {"accelerator": accelerator}
    trainer = partial(build, cfg.trainer, **where)
    return FineTuning(build(cfg.optimizer), build(cfg.get("scheduler")), trainer, cfg.trainer.max_epochs, settings)


def accelerator_of(device: torch.device) -> str:
    """Return Lightning's name for the kind of a device."""
    return "gpu" if device.type == "cuda" else device.type


def several_processes(trainer: DictConfig, accelerator: str | None = None) -> bool:
    """Tell whether a trainer's configuration starts more than one process.

    devices is a number, a list, or a text as Lightning takes it: "2", "0,1", "auto" and −1 for all that there are of
    the accelerator; only of GPUs can there be several.

    Args:
        trainer: the configuration.
        accelerator: given to it in place of its own.
    """
    kind = accelerator or trainer.get("accelerator", "auto")
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    strategy = str(trainer.get("strategy", "auto"))
    return nodes != 1 or _number(devices, kind) > 1 or any(name in strategy for name in ("ddp", "fsdp", "deepspeed"))


def _number(devices: Any, accelerator: str) -> int:
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        return len(devices)
    text = str(devices).strip().strip(",")
    if "," in text:
        return len(text.split(","))
    if text in ("auto", "-1"):
        return torch.cuda.device_count() if accelerator in ("auto", "gpu", "cuda") else 1
    return int(text)


def fit(trainer: pl.Trainer, classifier: Classifier, data: ImageData, ckpt: str | None) -> None:
    """Train; Ctrl-C is a KeyboardInterrupt again, which Lightning turns into an exit."""
    try:
        trainer.fit(classifier, datamodule=data, ckpt_path=ckpt)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise


def forget(folder: Path) -> None:
    """Remove the state of a training that is finished, or not the wanted one."""
    shutil.rmtree(folder / HALFWAY, ignore_errors=True)


def ordered(data: ImageData, seed: int) -> ImageData:
    """Return the same data whose order and flips are decided by another seed; nothing is copied."""
    view, images = copy.copy(data), copy.copy(data.train_set)
    view.seed = images.seed = seed
    view.train_set = images
    return view


class EpochSeed(pl.Callback):
    """Seeds torch before every epoch: what is drawn, as by dropout, is the same for all methods and after a resume."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed by the epoch."""
        torch.manual_seed(int(np.random.SeedSequence([self.seed, trainer.current_epoch]).generate_state(1)[0]))
