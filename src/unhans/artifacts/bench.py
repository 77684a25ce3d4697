"""A network and a data set as an experiment with artifacts sees them: images in [0, 1] in, logits and heatmaps out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

NEVER = -1e3  # a logit whose probability is 0

Predict = Callable[[Tensor], NDArray[np.float64]]
ExplainImages = Callable[[Tensor, int], NDArray[np.float32]]
Read = Callable[[NDArray[np.int64]], tuple[Tensor, NDArray[np.int64]]]


class FeatureSpace(Protocol):
    """The features of one layer of a network; images are (n, 3, H, W) in [0, 1]."""

    layer: str

    def means(self, images: Tensor) -> NDArray[np.float64]:
        """Return the features averaged over all places: (n, C)."""
        ...

    def moved(self, images: Tensor, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logits (n, classes) with shifts (n, C) added to the features at every place."""
        ...


class Layered(Protocol):
    """An artifact: an RGBA layer that has its place on every sample."""

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1]."""
        ...


@dataclass(frozen=True)
class Bench:
    """What an experiment needs of a network and a data set; images are (n, 3, H, W) in [0, 1].

    predict: images → logits (n, C) in float64, the network in evaluation mode. explain: images and a class →
    heatmaps (n, H, W) with respect to it. read: data-set indices → the images that can be read, as they are (with a
    planted artifact), and their indices. labels: (N,) of the whole data set; classes: names by label; batch_size:
    images at once; seed: of everything that is drawn; features: → those of its last layer with places, None where it
    has none.
    """

    predict: Predict
    explain: ExplainImages
    read: Read
    labels: NDArray[np.int64]
    classes: Sequence[str]
    batch_size: int = 32
    seed: int = 0
    features: Callable[[], FeatureSpace | None] = lambda: None

    def against_rest(self, label: int) -> Bench:
        """Return the bench of the question whether a sample belongs to one class, for heads of sigmoids.

        Its logits (n, C) are the network's for the class, 0 for one other, which stands for "not this class", and no
        chance for the rest: the softmax over them is the sigmoid of the class's logit, and the class is predicted where
        that is above one half.
        """
        return replace(
            self,
            predict=lambda images: _against_rest(self.predict(images), label),
            features=lambda: _features_against_rest(self.features(), label),
        )

    def batches(self, indices: NDArray[np.int64]) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        """Give images and their indices, batch by batch; what cannot be read is left out."""
        for start in range(0, len(indices), self.batch_size):
            images, kept = self.read(np.asarray(indices[start : start + self.batch_size]))
            if len(kept):
                yield images, kept


@dataclass(frozen=True)
class _AgainstRest:
    """Features whose logits are those of one class against the rest."""

    features: FeatureSpace
    label: int

    @property
    def layer(self) -> str:
        return self.features.layer

    def means(self, images: Tensor) -> NDArray[np.float64]:
        return self.features.means(images)

    def moved(self, images: Tensor, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        return _against_rest(self.features.moved(images, shifts), self.label)


def _features_against_rest(features: FeatureSpace | None, label: int) -> FeatureSpace | None:
    return None if features is None else _AgainstRest(features, label)


def _against_rest(logits: NDArray[np.float64], label: int) -> NDArray[np.float64]:
    scores = np.full((len(logits), max(2, logits.shape[1])), NEVER)
    scores[:, label], scores[:, (label + 1) % scores.shape[1]] = logits[:, label], 0.0
    return scores
