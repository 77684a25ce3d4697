"""What is done about proven artifacts: training callbacks that are made when one is proven, and driven from there."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytorch_lightning as pl
from torch import Tensor, nn
from torch.utils.data import Dataset
from unhans.callbacks.a_clarc import AClArC
from unhans.callbacks.augmentation import ArtifactAugmentation
from unhans.callbacks.decision import Act
from unhans.callbacks.followed import Followed

from unhans import clarc
from unhans.artifacts.sampling import drawn
from unhans.data import PixelScale, reading

MOST = 200  # samples with the artifact, and without, that a direction in feature space is fitted on


class Remedy(Protocol):
    """Readies what is to be done about an artifact during an audit, and begins it when the audit is over.

    callbacks: what acts; each is handed Lightning's hooks.
    """

    callbacks: list[pl.Callback]

    def prepare(self, artifact: Followed, network: nn.Module) -> None:
        """Compute what is needed; raises ValueError, in one sentence, where nothing can be done."""
        ...

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin with the next training batch; also for the artifacts of an interrupted run."""
        ...


class Nothing:
    """A dry run."""

    def __init__(self) -> None:
        self.callbacks: list[pl.Callback] = []

    def prepare(self, artifact: Followed, network: nn.Module) -> None:
        """Nothing has to be computed."""

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing is done."""


class Pasting(Nothing):
    """Lays the artifacts over the training images of all classes.

    spare: leave out those that carry it already; their indices are known where the training data were audited.
    """

    def __init__(self, scale: PixelScale, seed: int, spare: bool) -> None:
        super().__init__()
        self.scale, self.seed, self.spare = scale, seed, spare

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lay it over the images from the next batch on."""
        if not self.callbacks:
            self.callbacks = [ArtifactAugmentation(scale=self.scale, seed=self.seed)]
        self.callbacks[0].add(artifact.isolated, spared=artifact.affected if self.spare else ())
        self.callbacks[0].on_train_start(trainer, pl_module)


class Features(Nothing):
    """Adds the artifacts to the features of all training images at a layer, and freezes what lies below it (A-ClArC).

    The direction is fitted once, with the network as it is when the artifact is proven: one weight per position for an
    artifact at a fixed place, one per channel for others. Where the layer is "auto", it is the one that tells held-out
    samples apart best (`unhans.clarc.rank_layers`).
    """

    def __init__(self, dataset: Dataset, network: str, layer: str, seed: int, batch_size: int) -> None:
        super().__init__()
        self.dataset, self.network, self.layer, self.seed, self.batch_size = dataset, network, layer, seed, batch_size

    def prepare(self, artifact: Followed, network: nn.Module) -> None:
        """Fit its direction from the samples of the class with and without it."""
        images, affected = self._samples(artifact)
        device = next(network.parameters()).device
        spatial = "positions" if artifact.isolated.kind == "fixed" else "channels"
        options = {"spatial": spatial, "seed": self.seed}
        if self.layer == "auto":
            options |= {"batch_size": self.batch_size, "device": device}
            ranked = clarc.rank_layers(network, images[affected], images[~affected], **options)
            artifact.concept = ranked[0]
            self.layer = artifact.concept.layer  # of all artifacts to come, so that one part of the network is frozen
            return
        found = clarc.activations(network, self.layer, images, self.batch_size, device)
        axis = clarc.channel_axis(network, self.layer, images[:1].to(device))
        artifact.concept = clarc.fit(found, affected, layer=self.layer, axis=axis, **options)

    def begin(self, artifact: Followed, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Change features from the next training batch on."""
        self.layer = artifact.concept.layer  # of an interrupted run
        callback = AClArC(concept=artifact.concept, network=self.network, dataset=self.dataset)
        callback.insert(trainer, pl_module)
        self.callbacks.append(callback)

    def _samples(self, artifact: Followed) -> tuple[Tensor, np.ndarray]:
        """Images as the network takes them, and which of them (n,) carry the artifact."""
        groups = [drawn(each, MOST, self.seed) for each in (artifact.affected, artifact.unaffected)]
        images, kept = reading.read(self.dataset, np.concatenate(groups))
        return images, np.isin(kept, artifact.affected)


def remedy_of(act: Act, scale: PixelScale, dataset: Dataset, training: bool, **options: Any) -> Remedy:
    """Return what acts; training: whether it is the training data; options: network, layer, seed and batch_size."""
    if act == "augment":
        return Pasting(scale, options["seed"], spare=training)
    return Features(dataset, **options) if act == "a_clarc" else Nothing()
