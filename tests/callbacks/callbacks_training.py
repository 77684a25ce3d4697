"""A small training run in somebody else's style: own LightningModule, own data set, random augmentation and dropout."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset
from unhans.callbacks import ArtifactMonitor, HeatmapEvolution, SpRAyAudit

from unhans.artifacts import Border
from unhans.isolation import Isolated
from unhans.isolation.isolated import boxes
from unhans.spray import SpRAy, ranked


class NoisyImages(Dataset):
    """Sixteen images in each of two classes; a bright corner marks half of the second. Reading draws random noise."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.rand(32, 1, 16, 16, generator=generator)
        self.targets = torch.arange(32) % 2
        self.images[1::4, :, :5, :5] = 3

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index] + 0.1 * torch.randn(1, 16, 16), int(self.targets[index])


class TheirModule(pl.LightningModule):
    def __init__(self, compiled=False, frozen=False):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.3),
            nn.Flatten(), nn.Linear(4 * 49, 2),
        )  # fmt: skip
        if frozen:
            self.net[1].eval().requires_grad_(False)
        self.frozen = frozen
        if compiled:
            self.net = torch.compile(self.net, backend="aot_eager")

    def on_train_epoch_start(self):
        if self.frozen:
            self.net[1].eval()

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self.net(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def small_spray():
    return SpRAy(n_neighbors=4, n_clusters=range(2, 5), projection=None, normalisation="max")


def small_audits(folder, **options):
    """Both callbacks, small."""
    shared = {"network": "net", "on_error": "raise"}
    return [
        HeatmapEvolution(**shared, samples_per_class=1, folder=folder / "evolution"),
        SpRAyAudit(**shared, spray=small_spray(), folder=folder / "audit", **options),
    ]


def small_monitor(folder, **options):
    """A monitor of a white rim that stands for class 1."""
    defaults = {"network": "net", "dataset": "train", "samples": 6, "on_error": "raise", "folder": folder / "effect"}
    return ArtifactMonitor(Border(1, width=0.2), **(defaults | options))


def isolate_corners(images, heatmaps, members, **options):
    """Take the bright corner for the only artifact of any group."""
    return (isolate_corner(images, heatmaps, members),)


def isolate_corner(images, heatmaps, members, **options):
    """Take the bright corner for the artifact of any cluster."""
    layer = torch.zeros(4, 16, 16)
    layer[:, :5, :5] = 1
    masks = np.zeros((len(images), 16, 16), dtype=bool)
    masks[members, :5, :5] = True
    return Isolated("fixed", (layer,), members, masks, None, 1.0, boxes(masks), "A bright corner.")


def suspect_all(entries):
    """Rank the classes, and let all of them stand out."""
    return [dataclasses.replace(entry, suspicious=True) for entry in ranked(entries)]


def train(module, callbacks, folder, seed=0, ckpt_path=None, data=None, **options):
    """Train two epochs, on noisy images by default, and return the trainer."""
    defaults = {"max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    pl.seed_everything(seed, verbose=False)
    trainer = pl.Trainer(
        **(defaults | options),
        callbacks=callbacks,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(module, DataLoader(data or NoisyImages(), batch_size=8, shuffle=True), ckpt_path=ckpt_path)
    return trainer
