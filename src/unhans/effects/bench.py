"""A network and a data set as an experiment with artifacts sees them: samples, changes of images, logits, heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


Change = Callable[[Tensor, NDArray[np.int64]], Tensor]  # images (n, 3, H, W) and their indices → changed images
Prediction = Callable[[Tensor, NDArray[np.int64]], NDArray[np.float64]]  # the same → logits (n, C)
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Measurement:
    """The logits (n, C) before and, by the name of the change, after it, of the samples that could be read."""

    indices: NDArray[np.int64]
    before: NDArray[np.float64]
    after: Mapping[str, NDArray[np.float64]]


def measure(bench: Bench, indices: NDArray[np.int64], changes: Mapping[str, Change], advance: Advance) -> Measurement:
    """Read every sample once and predict it without and with each change; one batch of images at a time.

    advance: called with the number of images after each prediction. Raises ValueError where nothing can be read.
    """
    return predicted(bench, indices, {name: _after(bench, change) for name, change in changes.items()}, advance)


def predicted(
    bench: Bench, indices: NDArray[np.int64], ways: Mapping[str, Prediction], advance: Advance
) -> Measurement:
    """Read every sample once, and predict it as it is and in each of these ways; arguments as for `measure`."""
    kept, logits = [], {"": [], **{name: [] for name in ways}}
    for images, read in bench.batches(indices):
        kept.append(read)
        for name, rows in logits.items():
            rows.append(ways[name](images, read) if name else bench.predict(images))
            advance(len(read))
    if not kept:
        raise ValueError(f"the effect of an artifact needs samples that can be read, got none of {len(indices)}")
    whole = {name: np.concatenate(rows) for name, rows in logits.items()}
    return Measurement(np.concatenate(kept), whole.pop(""), whole)


def _after(bench: Bench, change: Change) -> Prediction:
    return lambda images, indices: bench.predict(change(images, indices))


def evenly(labels: NDArray[np.int64], pool: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.int64]:
    """Draw up to `samples` indices of the pool, as evenly over its classes as these allow; sorted.

    labels: (N,) of the data set. A larger number keeps the samples of a smaller one. Raises ValueError for a number
    that is not positive.
    """
    if samples < 1:
        raise ValueError(f"the number of samples to measure an effect on must be positive, got {samples}")
    turns = np.empty(len(pool), dtype=np.int64)
    for label in np.unique(labels[pool]):
        rows = np.flatnonzero(labels[pool] == label)
        own = int(label) % 2**32  # samples without a class have a negative label
        turns[np.random.default_rng([seed, 1, own]).permutation(rows)] = np.arange(len(rows))
    order = np.random.default_rng([seed, 2]).random(len(pool))
    return np.sort(pool[np.lexsort((order, turns))[:samples]])


def drawn(pool: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.int64]:
    """Draw up to `samples` indices of the pool; sorted."""
    pool = np.unique(np.asarray(pool, dtype=np.int64))
    return np.sort(np.random.default_rng([seed, 3]).permutation(pool)[:samples])


def check_label(label: int, classes: Sequence[str]) -> int:
    """Return the label, or raise ValueError where there is no such class."""
    if not 0 <= label < len(classes):
        raise ValueError(f"an artifact's class must be an index 0 … {len(classes) - 1}, got {label}")
    return label


_STATES = 2  # before and after


class Meter:
    """Reports how many of the planned images are done; what could not be read counts as done in the end."""

    def __init__(self, planned: int, advance: Callable[[int], None]) -> None:
        self.left, self.advance = planned, advance

    def __call__(self, images: int) -> None:
        """Report a number of images; never more than were planned in all."""
        images = min(images, self.left)
        self.left -= images
        if images > 0:
            self.advance(images)

    def finish(self) -> None:
        """Report what is left."""
        if self.left > 0:
            self(self.left)


def images_of(added: int, removed: int, unaffected: NDArray[np.int64], fills: Sequence[str], examples: int) -> int:
    """Return how many images are predicted or explained.

    added, removed: samples to paste on and to take away from, each as it is, with the artifact changed and for every
    control; examples: of each part, explained before and after.
    """
    controls = 2 + bool(len(unaffected))
    shown = min(examples, added) + min(examples, removed)
    return added * (_STATES + controls) + removed * (_STATES + len(fills)) + _STATES * shown
