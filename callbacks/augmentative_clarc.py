"""A-ClArC: every training sample carries the artifact in feature space, so that the layers above unlearn it [001]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from unhans.callbacks.audit import Callback

from unhans import clarc
from unhans.artifacts import Layered
from unhans.attribution import invisible
from unhans.data import Key, PixelScale, first_image, labels_of, pixel_scale
from unhans.harness import (
    Indices,
    check_not_compiled,
    check_single_process,
    concept_features,
    network_of,
    raise_misconfiguration,
    training_set,
)
from unhans.lrp.tracing import LogitsOf, Output, path_in

WHO = "AClArC"
BETWEEN = ("on_train_batch_start", "on_train_batch_end")  # hooks in which no step is computed


class AClArC(Callback):
    """Fine-tunes the layers above one with the artifact added to its features: augmentative ClArC [001; METHODS §5].

    At the start of training a concept activation vector v is fitted with the network as it then is; what lies below the
    layer is frozen (its batch norm in evaluation mode), so that it stays valid. While training batches run, the layer's
    features h are replaced by h − v vᵀ(h − z), z the mean over affected samples; validation, audits and checkpoints see
    the plain network. Afterwards, also after an exception, everything is as it was but for the weights above.

    Which samples are affected is told in one of three ways: by a `Concept`; by data-set indices; by an artifact that is
    laid over samples.

    Args:
        layer: path of the module inside the network whose output is augmented.
        concept: a fitted one, in place of what follows.
        affected: samples with the artifact, as indices of the data set or (N,) bool.
        unaffected: samples without it; None: the other samples of the same classes.
        artifact: laid over samples of all classes; the same samples without it are unaffected.
        estimator, spatial: how the concept is fitted, see `unhans.clarc.fit`.
        samples: with and without the artifact, at most, of each.
        network: name of the network inside the LightningModule, "" for the module itself.
        dataset: of (image, label, …) items; by default the trainer's training data.
        scale: between the network's images and [0, 1], for pasting; by default that of the data set.
        batch_size: images at once.
        seed: draws the samples.
        keys: where the image is in an item of the data, if not as in `unhans.data.adapters`.
        output: where the logits are in what the network returns, as for every `Audit`.

    Attributes:
        concept_: the fitted concept, once training has begun.

    Raises:
        ValueError: arguments contradict each other.
        MisconfigurationException: before training, for a compiled, parallel or sharded network, a layer that does not
            exist or has no feature maps, and samples that cannot be told apart.
    """

    def __init__(
        self,
        layer: str | None = None,
        *,
        concept: clarc.Concept | None = None,
        affected: Indices | None = None,
        unaffected: Indices | None = None,
        artifact: Layered | None = None,
        estimator: clarc.Estimator = "pattern",
        spatial: clarc.Spatial = "positions",
        samples: int = 200,
        network: str = "model",
        dataset: Dataset | None = None,
        scale: PixelScale | None = None,
        batch_size: int = 32,
        seed: int = 0,
        keys: Mapping[str, Key] | None = None,
        output: Output | None = None,
    ) -> None:
        if sum(each is not None for each in (concept, affected, artifact)) != 1:
            raise ValueError(f"{WHO} expects one of concept, affected and artifact.")
        if layer is None and concept is None:
            raise ValueError(f"{WHO} expects the layer whose features are augmented.")
        if concept is not None and layer not in (None, concept.layer):
            raise ValueError(f"{WHO}: the concept belongs to layer {concept.layer!r}, got layer {layer!r}.")
        if samples < 2:
            raise ValueError(f"{WHO}: samples expects 2 or more, got {samples}.")
        self.layer: str = concept.layer if concept is not None else str(layer)
        self.given, self.affected, self.unaffected, self.artifact = concept, affected, unaffected, artifact
        self.estimator, self.spatial, self.samples = estimator, spatial, samples
        self.network, self.dataset = network, dataset
        self.scale, self.batch_size, self.seed, self.keys = scale, batch_size, seed, dict(keys or {})
        self.output = output
        self.concept_: clarc.Concept | None = concept
        self._active = False
        self._handle: Any = None
        self._freezing: clarc.Freezing | None = None

    @property
    def state_key(self) -> str:
        """The name in a checkpoint, so that there can be one for each of several layers."""
        return f"{WHO}:{self.layer}"

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Forget the concept of an earlier fit: the network is another one; that of a checkpoint is loaded later."""
        if stage == "fit":
            self.concept_ = self.given

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse networks whose features could not be changed while they train."""
        check_single_process(trainer, WHO)
        with raise_misconfiguration(WHO):
            check_not_compiled(pl_module, network_of(pl_module, self.network), self.layer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fit the concept, freeze what lies below the layer, insert the augmenting layer."""
        with raise_misconfiguration(WHO):
            self.insert(trainer, pl_module)

    def insert(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do what `on_train_start` does, at any time between two batches; ValueError for what cannot be done."""
        network, device = network_of(pl_module, self.network), trainer.strategy.root_device
        with invisible(pl_module):
            dataset = self.dataset or training_set(trainer, self.keys, WHO)
            example = None if dataset is None else first_image(dataset)
            if dataset is None or example is None:
                raise ValueError("a map-style data set of (image, label, …) is needed; give one as dataset=.")
            whole, layer, example = self._whole(network), path_in(self.output, self.layer), example.to(device)
            clarc.check_layer(whole, layer, example)
            names = clarc.parameters_below(whole, layer, example)
            freezing = clarc.Freezing(whole, layer, names, example)
            if self.concept_ is None:
                self.concept_ = self._fitted(whole, layer, dataset, device, example)
            correction = clarc.Correction.augmentative([self.concept_]).to(device)
        self._freezing = freezing.freeze()
        self._handle = clarc.augment_layer(network, self.layer, correction, lambda: self._runs(pl_module))

    def remove(self) -> None:
        """Take the augmenting layer out and give back what was frozen; nothing where nothing was inserted."""
        self._active = False
        if self._handle is not None:
            self._handle.remove()
        if self._freezing is not None:
            self._freezing.thaw()
        self._handle = self._freezing = None

    def on_train_batch_start(self, *arguments: Any, **options: Any) -> None:
        """Augment features from here on."""
        if self._freezing is not None:
            self._freezing.hold()
        self._active = True

    def on_train_batch_end(self, *arguments: Any, **options: Any) -> None:
        """Leave the network plain between batches."""
        self._active = False

    def _runs(self, pl_module: pl.LightningModule) -> bool:
        """Whether a batch is trained on; what other callbacks do before and after it sees the plain network."""
        return self._active and getattr(pl_module, "_current_fx_name", None) not in BETWEEN

    def teardown(self, *arguments: Any, **options: Any) -> None:
        """Take the layer out: at the end of training, after an exception, and whatever else happened."""
        self.remove()

    on_train_end = on_exception = teardown

    def state_dict(self) -> dict[str, Any]:
        """Return the concept, so that a resumed run does not fit another one with the changed network."""
        return {"concept": None if self.concept_ is None else asdict(self.concept_)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the concept of the interrupted run."""
        stored = state_dict["concept"]
        self.concept_ = self.given if stored is None else clarc.Concept(**stored)

    def _whole(self, network: nn.Module) -> nn.Module:
        """The network, from images to logits."""
        return network if self.output is None else LogitsOf(network, self.output)

    def _fitted(
        self, network: nn.Module, layer: str, dataset: Dataset, device: torch.device, example: Tensor
    ) -> clarc.Concept:
        found, affected = concept_features(
            dataset,
            labels_of(dataset),
            lambda images: clarc.activations(network, layer, images, self.batch_size, device),
            affected=self.affected,
            unaffected=self.unaffected,
            artifact=self.artifact,
            scale=self.scale if self.artifact is None else self.scale or pixel_scale(dataset, self.seed),
            samples=self.samples,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        options = {"layer": self.layer, "estimator": self.estimator, "spatial": self.spatial, "seed": self.seed}
        return clarc.fit(found, affected, axis=clarc.channel_axis(network, layer, example), **options)
