"""Checkpoints of one training, each after another epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.markup import escape
from torch import nn

from unhans.experiment.compare import checkpoint_epoch
from unhans.experiment.run import Subject, trained_network
from unhans.experiment.survey import weights_of
from unhans.terminal import CONSOLE, ConfigurationError


@dataclass(frozen=True)
class EpochCheckpoint:
    """A network as it was after so many epochs of training.

    Attributes:
        epoch: how many it had trained.
        path: of its checkpoint.
        cfg: its completed configuration.
        subject: its data and device.
    """

    epoch: int
    path: str
    cfg: DictConfig
    subject: Subject

    def network(self) -> nn.Module:
        """Return the network, read anew, on the device.

        Raises:
            ConfigurationError: it is of another architecture than the subject's, or its checkpoint does not fit.
        """
        found = trained_network(self.cfg, self.subject.data).to(self.subject.device)
        if _form(found) != _form(self.subject.network):
            raise ConfigurationError(
                f"the quality of heatmaps is compared within one architecture, but {self.path} holds another one than "
                "the first checkpoint; give checkpoints of one training."
            )
        return found


def epoch_checkpoints(cfgs: Sequence[DictConfig], subject: Subject) -> list[EpochCheckpoint]:
    """Return the checkpoints of several completed configurations in the order of their epochs; of one alone none.

    One that holds the same weights as another of the same epoch, as `last.ckpt` does, is left out, which is said.

    Raises:
        ConfigurationError: one does not say its epoch, or two of one epoch differ.
    """
    if cfgs[0].ckpts is None:
        return []
    found: dict[int, EpochCheckpoint] = {}
    for cfg in cfgs:
        last = checkpoint_epoch(cfg.ckpt)
        if last is None:
            raise ConfigurationError(f"ckpts expects checkpoints of Lightning, but {cfg.ckpt} does not say its epoch.")
        one = EpochCheckpoint(last + 1, str(cfg.ckpt), cfg, subject)
        other = found.setdefault(one.epoch, one)
        if other is not one:
            _check_same(one, other)
            CONSOLE.print(escape(f"{Path(one.path).name} is left out: the same as {Path(other.path).name}."))
    if len(found) < 2:
        raise ConfigurationError("ckpts expects checkpoints after two or more epochs, got those of one alone.")
    return [found[epoch] for epoch in sorted(found)]


def _check_same(one: EpochCheckpoint, other: EpochCheckpoint) -> None:
    if weights_of(one.network()) != weights_of(other.network()):
        raise ConfigurationError(
            f"ckpts expects checkpoints of one training, each after another epoch, but {one.path} and {other.path} are "
            f"two networks after {one.epoch} epochs."
        )


def _form(network: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.state_dict().items()}
