"""A training of two processes with audits, whose findings are compared with those of one process.

Run as a script: the first argument is the folder, in which every process writes what it knows at the end, and which
holds the final weights of this training (audited.pt) and of the same training without audits (plain.pt).
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.distributed as dist
import torch.nn.functional as F
from callbacks_training import NoisyImages, TheirModule, isolate_corners, small_monitor, small_spray
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from unhans.callbacks import HeatmapEvolution, MaskRelevance, SpRAyAudit

from unhans.effects import class_examination as examine_class
from unhans.report.text import verdict_summary

TIMEOUT = 6.0  # seconds, of the training's process group
EPOCHS = 2
TWO = {"devices": 2, "strategy": "ddp_fork"}


class ThreeClasses(TensorDataset):
    """Forty-eight images of three classes; a bright corner marks half of the second."""

    def __init__(self):
        images = torch.cat([NoisyImages().images, NoisyImages().images.flip(0)[:16].flip(2)])
        self.targets = torch.arange(48) % 3
        images[1::6, :, :5, :5] = 3
        super().__init__(images, self.targets)


class Reducing(TheirModule):
    """Logs what is reduced over processes when the progress bar of the first one asks for it."""

    def __init__(self):
        super().__init__()
        self.net[-1] = nn.Linear(4 * 49, 3)

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("loss", loss, on_epoch=True, on_step=False, prog_bar=True, sync_dist=True)
        return loss


class Weights(pl.Callback):
    """Saves the weights that are audited, or loads those of another training."""

    def __init__(self, folder, load=False):
        self.folder, self.load = folder, load

    def on_train_epoch_end(self, trainer, pl_module):
        path = self.folder / f"weights_{trainer.current_epoch}.pt"
        if self.load:
            pl_module.load_state_dict(torch.load(path, weights_only=True))
        elif trainer.is_global_zero:
            torch.save(pl_module.state_dict(), path)


class Final(pl.Callback):
    """Saves the weights at the end."""

    def __init__(self, name):
        self.name = name

    def on_train_end(self, trainer, pl_module):
        if trainer.is_global_zero:
            torch.save(pl_module.state_dict(), Path(trainer.default_root_dir) / f"{self.name}.pt")


class Told(pl.Callback):
    """Writes what each process knows at the end, which is over with the process."""

    def __init__(self, folder, audits):
        self.folder, self.audits = folder, audits

    def on_fit_end(self, trainer, pl_module):
        compared = self.audits[0]
        found = {
            "metrics": {key: float(value) for key, value in sorted(trainer.callback_metrics.items())},
            "failures": [audit.failures for audit in self.audits],
            "ranking": [entry.name for entry in compared.ranking],
            "looks": compared.looks,
            "cases": {label: verdict_summary(case.proof) for label, case in sorted(compared.cases.items())},
        }
        (self.folder / f"process_{trainer.global_rank}.json").write_text(json.dumps(found))


class Impatient(pl.Callback):
    """The processes of the training do not wait long for each other."""

    def on_train_start(self, trainer, pl_module):
        dist.set_timeout(timedelta(seconds=TIMEOUT), dist.group.WORLD)


class Sleeping(HeatmapEvolution):
    """Its first audit takes longer than processes wait."""

    def audit(self, trainer, network):
        super().audit(trainer, network)
        if trainer.current_epoch == 0 and trainer.world_size > 1:
            time.sleep(1.3 * TIMEOUT)


class FailingOnce(SpRAyAudit):
    """Fails in the second process, in one class after the first epoch and altogether after the second."""

    def _audit_class(self, auditor, label, say):
        super()._audit_class(auditor, label, say)
        if self.fails == (0, 1):
            raise OSError("the disk is gone")

    def _auditor(self, network):
        if self.fails == (1, 1):
            raise OSError("the disk is gone")
        return super()._auditor(network)

    def audit(self, trainer, network):
        self.fails = trainer.current_epoch, trainer.global_rank
        super().audit(trainer, network)


def compared(folder):
    """Return the audit whose findings are compared."""
    options = {"network": "net", "spray": small_spray(), "verify": True, "verify_samples": 6, "keep": "all"}
    options |= {"control": False, "pages": 1, "candidates": 1, "tests": 1}
    return SpRAyAudit(**options, on_error="raise", folder=folder / "audit")


def audits_of(folder):
    """Return the audits of a run."""
    return [
        compared(folder),
        Sleeping(network="net", on_error="raise", samples_per_class=1, folder=folder / "evolution"),
        small_monitor(folder),
        MaskRelevance(1, masks=lambda i: torch.ones(len(i), 16, 16, dtype=bool).numpy(), indices=[1, 4], network="net",
                      dataset="train", name="relevance", folder=folder / "relevance", on_error="raise"),
        FailingOnce(network="net", spray=small_spray(), pages=0, control=False, name="failing",
                    folder=folder / "failing"),
    ]  # fmt: skip


def run(folder, callbacks, **options):
    """Train, and return the trainer."""
    pl.seed_everything(0, verbose=False)
    trainer = pl.Trainer(
        **({"max_epochs": EPOCHS, "accelerator": "cpu", "logger": False, "log_every_n_steps": 1} | options),
        callbacks=callbacks,
        default_root_dir=folder,
        enable_model_summary=False,
    )
    trainer.fit(Reducing(), DataLoader(ThreeClasses(), batch_size=8, shuffle=True))
    return trainer


def main(folder):
    """Train in two processes with and without audits; forked ones, which need not import everything again."""
    examine_class.isolate = isolate_corners
    run(folder, [Final("plain")], **TWO)
    audited(folder)


def audited(folder):
    """Train with audits."""
    audits = audits_of(folder)
    best = ModelCheckpoint(folder / "best", monitor="audit/1/score", save_on_train_epoch_end=True)
    run(folder, [Weights(folder), Final("audited"), Impatient(), *audits, best, Told(folder, audits)], **TWO)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
