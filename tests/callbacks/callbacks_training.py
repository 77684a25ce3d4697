"""A small training run in somebody else's style: own LightningModule, own data set, random augmentation and dropout."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, Dataset
from unhans.callbacks import ArtifactMonitor, HeatmapEvolution, SpRAyAudit

from unhans.artifacts import Border
from unhans.data import Arrays, Collection, ImageDataset
from unhans.data.image_list import numbered_names
from unhans.isolation import Isolated
from unhans.isolation.isolated import boxes
from unhans.spray import SpRAy, rank_classes


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


class Still(NoisyImages):
    """The same images without noise; their labels may be others."""

    def __init__(self, labels=None):
        super().__init__()
        self.targets = self.targets if labels is None else labels

    def __getitem__(self, index):
        return self.images[index], int(self.targets[index])


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


class Validated(TheirModule):
    """Has validation data, and does nothing with them."""

    def validation_step(self, batch, batch_idx):
        return None


class Colour(Validated):
    """Tells classes by three-channel images."""

    def __init__(self):
        super().__init__()
        self.net[0] = nn.Conv2d(3, 4, 3)


def planted_data(split="val", val_coverage=0.5):
    """Forty images of two classes; a white rim is planted in the second."""
    images = np.random.default_rng(0).integers(200, size=(40, 16, 16, 3), dtype=np.uint8)
    collection = Collection(Arrays(images, numbered_names("x", 40)), np.arange(40) % 2, ["good", "odd"])
    artifact = Border("odd", width=0.2, val_coverage=val_coverage)
    return ImageDataset(collection, 16, (0.5,) * 3, (0.25,) * 3, artifact=artifact, split=split)


class KeepingLogger(CSVLogger):
    """Keeps what every call was given."""

    def __init__(self, folder):
        super().__init__(folder)
        self.calls = []

    def log_metrics(self, metrics, step=None):
        self.calls.append(dict(metrics))

    def calls_with(self, *prefixes):
        """Return the calls that hold a key with one of these beginnings."""
        return [call for call in self.calls if any(key.startswith(prefixes) for key in call)]


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
    defaults["name"] = "effect"
    return ArtifactMonitor(Border(1, width=0.2), **(defaults | options))


def without_pictures(monkeypatch):
    """Let audits that follow curves draw nothing, which takes longer than the rest."""
    for module, figure in (("heatmap_quality", "quality_figure"), ("region_relevance", "regions_figure")):
        monkeypatch.setattr(f"unhans.callbacks.curves.{module}.write_figure", lambda *_: None)
        monkeypatch.setattr(f"unhans.callbacks.curves.{module}.{figure}", lambda *_: None)


def isolate_corners(images, heatmaps, members, **options):
    """Take the bright corner for the only artifact of any group."""
    return (isolate_corner(images, heatmaps, members),)


def isolate_corner(images, heatmaps, members, **options):
    """Take the bright corner for the artifact of any cluster."""
    layer = torch.zeros(4, 16, 16)
    layer[:, :5, :5] = 1
    masks = np.zeros((len(images), 16, 16), dtype=bool)
    masks[members, :5, :5] = True
    return Isolated("fixed", (layer,), members, masks, None, 1.0, boxes(masks))


def suspect_all(entries):
    """Rank the classes, and let all of them stand out."""
    return [dataclasses.replace(entry, suspicious=True) for entry in rank_classes(entries)]


def trainer_of(folder, callbacks, **options):
    """Return a trainer of two epochs that writes and shows nothing of its own."""
    nothing = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    defaults = dict.fromkeys(nothing, False) | {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1}
    return pl.Trainer(**(defaults | options), callbacks=callbacks, default_root_dir=folder)


def train(module, callbacks, folder, seed=0, ckpt_path=None, data=None, val=None, **options):
    """Train two epochs, on noisy images by default, and return the trainer."""
    pl.seed_everything(seed, verbose=False)
    trainer = trainer_of(folder, callbacks, **options)
    loader = DataLoader(data or NoisyImages(), batch_size=8, shuffle=True)
    trainer.fit(module, loader, None if val is None else DataLoader(val, batch_size=8), ckpt_path=ckpt_path)
    return trainer
