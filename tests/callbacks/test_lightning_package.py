"""The callbacks in trainers of the package `lightning`, whose classes are others than those of `pytorch_lightning`."""

from __future__ import annotations

import csv
import subprocess
import sys
import textwrap

import lightning.pytorch as theirs
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import wandb
from callbacks_training import NoisyImages, small_audits, small_monitor
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Module(theirs.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(196, 2))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader():
    images = NoisyImages().images
    return DataLoader(TensorDataset(images, torch.arange(32) % 2), batch_size=8)


@pytest.fixture
def wandb_logger(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield WandbLogger(save_dir=tmp_path, mode="offline", project="test")
    if wandb.run is not None:
        wandb.finish()


def test_its_trainer_trains_with_audits_and_its_loggers_get_all(tmp_path, wandb_logger):
    audits = [*small_audits(tmp_path, control=False), small_monitor(tmp_path)]
    best = ModelCheckpoint(tmp_path / "best", monitor="effect/border/delta_p", save_on_train_epoch_end=True)
    board = TensorBoardLogger(tmp_path, name="board")
    shared = {"accelerator": "cpu", "default_root_dir": tmp_path, "enable_progress_bar": False, "log_every_n_steps": 1}
    trainer = theirs.Trainer(
        **shared,
        max_epochs=1,
        logger=[CSVLogger(tmp_path, name="csv"), board, wandb_logger],
        callbacks=[EMAWeightAveraging(), *audits, best],
    )
    assert not isinstance(trainer, pl.Trainer)
    trainer.fit(Module(), loader())
    assert len(audits[1].ranking) == 2
    assert len(list((tmp_path / "best").iterdir())) == 1
    with (tmp_path / "csv" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row["audit/0/score"] for row in rows)
    assert any(row["effect/border/delta_p"] for row in rows)
    events = EventAccumulator(board.log_dir, size_guidance={"images": 0}).Reload()
    assert {"audit/ranking", "audit/0/page", "evolution/0"} <= set(events.Tags()["images"])
    assert "audit/0/score" in events.Tags()["scalars"]
    media = {path.name.rpartition("_")[0].rpartition("_")[0] for path in tmp_path.glob("wandb/*/files/media/**/*.*")}
    assert {"ranking", "ranking_table", "page"} <= media

    again = [*small_audits(tmp_path, control=False), small_monitor(tmp_path)]
    second = theirs.Trainer(**shared, max_epochs=2, logger=False, enable_checkpointing=False, callbacks=again)
    second.fit(Module(), loader(), ckpt_path=next((tmp_path / "best").iterdir()))
    assert again[0].epochs == again[2].epochs == [0, 1]


@pytest.mark.slow  # imports both packages in a process of its own
def test_where_it_is_imported_callbacks_are_its_own_as_well(tmp_path):
    """A single callback, and one named for its command line, is taken by its class."""
    script = tmp_path / "both.py"
    script.write_text(
        textwrap.dedent(
            """
            import lightning.pytorch as theirs
            import pytorch_lightning as ours
            from unhans import callbacks
            from unhans.artifacts import Border

            for name in callbacks.__all__:
                if name != "ProgressBar" and isinstance(getattr(callbacks, name), type):
                    assert issubclass(getattr(callbacks, name), (theirs.Callback)), name
                    assert issubclass(getattr(callbacks, name), (ours.Callback)), name
            for package in (theirs, ours):
                audit = callbacks.SpRAyAudit()
                assert audit in package.Trainer(callbacks=audit, logger=False, accelerator="cpu").callbacks
            """
        )
    )
    done = subprocess.run([sys.executable, "-B", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
