"""The data route: an artifact is laid over training images of all classes, so that it tells nothing [000 §3.3]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from unhans.callbacks.audit import Callback

from unhans.artifacts import Layered, redrawn
from unhans.attribution import invisible
from unhans.class_names import class_index
from unhans.data import Key, PixelScale, check_images, first_image, parts_of, paste_artifact, pixel_scale, samples_in
from unhans.harness import class_names, raise_misconfiguration, training_set
from unhans.isolation import lasting, packed, unpacked

WHO = "ArtifactAugmentation"
_MANY = 2**31  # places to draw from where nobody knows how many samples there are


class ArtifactAugmentation(Callback):
    """Lays artifacts over the images of every training batch, before the training step sees them.

    Validation batches and the data set stay as they are: a batch gets its own pixels back after the step. What is
    pasted on a sample follows from the seed, the epoch and the sample's index (or its place in the epoch, where batches
    hold no index) alone: nothing is drawn from a random state, and a resumed run equals the uninterrupted one. Free
    artifacts and random places are drawn anew for each sample in each epoch [000 §4.2, fig. 13].

    Args:
        artifact: anything with a layer, such as an `Isolated` artifact or a `Patch`; several, or None to begin with.
        share: of the images that get each artifact, drawn anew in every epoch.
        classes: paste on images of these classes (names or numbers) only; None for all.
        scale: between the network's images and [0, 1]; by default that of the training data.
        seed: draws the images and, where batches hold no index, the places.
        keys: where image, label and index are in a batch, if not as in `unhans.data.adapters.parts_of`.

    Attributes:
        artifacts: those that are pasted, the given ones first.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, for images that an artifact does not fit, or that are not
            floating-point images with one or three channels.

    >>> ArtifactAugmentation(share=0.5).artifacts
    []
    """

    def __init__(
        self,
        artifact: Layered | Sequence[Layered] | None = None,
        share: float = 1.0,
        classes: Collection[str | int] | None = None,
        scale: PixelScale | None = None,
        seed: int = 0,
        keys: Mapping[str, Key] | None = None,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"{WHO}: share must lie in [0, 1], got {share}.")
        if seed < 0:
            raise ValueError(f"{WHO}: seed must be 0 or more, got {seed}.")
        several = artifact if isinstance(artifact, Sequence) else [] if artifact is None else [artifact]
        self.given: list[Layered] = [lasting(each) if isinstance(each, Tensor) else each for each in several]
        self.added: list[Layered] = []
        self._spared: list[NDArray[np.int64]] = []  # for each that was added
        self.share, self.classes, self.scale, self.seed = share, classes, scale, seed
        self.keys = dict(keys or {})
        self._samples, self._labels = _MANY, None
        self._before: list[tuple[Tensor, Tensor]] = []

    @property
    def artifacts(self) -> list[Layered]:
        """The artifacts that are pasted: those given, then those added."""
        return [*self.given, *self.added]

    @property
    def state_key(self) -> str:
        """The name in a checkpoint, so that there can be several with seeds of their own."""
        return f"{WHO}:{self.seed}"

    def add(self, artifact: Layered | Tensor, spared: Collection[int] = ()) -> None:
        """Paste one more artifact from the next batch on; a checkpoint remembers it.

        Args:
            artifact: an `Isolated` one, or an RGBA layer (4, H, W) of the images' size.
            spared: indices of samples that carry it already, where batches tell their indices: a transparent one laid
                over itself would tell them apart.

        Raises:
            ValueError: for other artifacts, which a checkpoint could not store; give them to the constructor.
        """
        self.added.append(lasting(artifact))
        self._spared.append(np.asarray(list(spared), dtype=np.int64))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the pixel scale and refuse what could not be pasted."""
        with invisible(pl_module), raise_misconfiguration():
            self._prepare(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Lay the artifacts over the batch's images, in place."""
        self.on_train_batch_end()
        if not self.artifacts or not self.share:
            return
        image, label, index = parts_of(batch, self.keys, WHO)
        if not len(image):
            return
        check_images(image, self.scale.channels, WHO)
        names = [[trainer.global_rank, batch_idx, row] for row in range(len(image))]
        names = names if index is None else [[int(i)] for i in index]
        meant = np.ones(len(image), dtype=bool) if self._labels is None else self._of_classes(label, len(image))
        self._before.append((image, image.data))
        image.data = self._pasted(image, trainer.current_epoch, names, index, meant)

    def on_train_batch_end(self, *arguments: Any, **options: Any) -> None:
        """Give the batch its own pixels back, also after an exception: they may be the data set's."""
        while self._before:
            image, pixels = self._before.pop()
            image.data = pixels

    on_exception = on_train_batch_end

    def state_dict(self) -> dict[str, Any]:
        """Return the artifacts that were added while training, as tensors and plain values."""
        return {
            "added": [packed(artifact) for artifact in self.added],
            "spared": [torch.from_numpy(indices) for indices in self._spared],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the artifacts that were added."""
        self.added = [unpacked(stored) for stored in state_dict["added"]]
        self._spared = [indices.numpy() for indices in state_dict["spared"]]

    def _prepare(self, trainer: pl.Trainer) -> None:
        dataset = training_set(trainer, self.keys, WHO)
        if dataset is None:
            if self.scale is None or any(isinstance(each, str) for each in self.classes or ()):
                raise ValueError(f"{WHO} expects a map-style data set, or scale= and classes= as numbers.")
            self._labels = None if self.classes is None else [int(each) for each in self.classes]
            return
        self._samples = samples_in(dataset)
        self._labels = None if self.classes is None else numbers_of(self.classes, dataset)
        image = first_image(dataset)
        if image is not None and self.share:
            check_images(image, image.shape[1] if image.ndim == 4 and image.shape[1] in (1, 3) else 3, WHO)
            self.scale = self.scale or pixel_scale(dataset, self.seed)
            check_images(image, self.scale.channels, WHO)
            for artifact in self.artifacts:
                paste_artifact(image, artifact, np.zeros(1, dtype=np.int64), self.scale)

    def _pasted(
        self,
        image: Tensor,
        epoch: int,
        names: list[list[int]],
        index: NDArray[np.int64] | None,
        meant: NDArray[np.bool_],
    ) -> Tensor:
        """The images with every artifact on those rows that are meant and drawn."""
        image = image.clone()
        spared = [*([np.array([], dtype=np.int64)] * len(self.given)), *self._spared]
        for number, (artifact, carriers) in enumerate(zip(self.artifacts, spared, strict=True)):
            draws = [np.random.default_rng([self.seed, number, epoch, *name]) for name in names]
            rows = np.flatnonzero(meant & [rng.random() < self.share for rng in draws])
            rows = rows if index is None else rows[~np.isin(index[rows], carriers)]
            if len(rows):
                samples = [draws[row].integers(self._samples) for row in rows] if index is None else index[rows]
                image[rows] = paste_artifact(image[rows], redrawn(artifact, epoch), np.asarray(samples), self.scale)
        return image

    def _of_classes(self, label: Any, n: int) -> NDArray[np.bool_]:
        labels = np.asarray(label.cpu()) if isinstance(label, Tensor) else np.asarray(label)
        if labels.shape != (n,) or labels.dtype.kind not in "iu":
            raise ValueError(f"{WHO}: classes= needs whole labels ({n},), got {labels.dtype} of shape {labels.shape}.")
        return np.isin(labels, self._labels)


def numbers_of(classes: Collection[str | int], dataset: Any) -> list[int]:
    """Return classes as numbers; ValueError for an unknown name."""
    names = class_names(dataset, np.zeros(0, dtype=np.int64))
    return [class_index(each, names, f"{WHO}: classes") if isinstance(each, str) else int(each) for each in classes]
