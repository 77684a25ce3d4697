"""A network and a data set as an experiment with artifacts sees them: samples, changes of images, logits, heatmaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

NEVER = -1e3  # a logit whose probability is 0

Predict = Callable[[Tensor], NDArray[np.float64]]
ExplainImages = Callable[[Tensor, int], NDArray[np.float32]]
Read = Callable[[NDArray[np.int64]], tuple[Tensor, NDArray[np.int64]]]


@dataclass(frozen=True)
class FeatureSpace:
    """The features of one layer of a network; images are (n, 3, H, W) in [0, 1].

    Attributes:
        layer: its name.
        means: images → the features averaged over all places (n, C).
        moved: images and shifts (n, C) → the logits (n, classes) with the shifts added to the features at every place.
    """

    layer: str
    means: Callable[[Tensor], NDArray[np.float64]]
    moved: Callable[[Tensor, NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Bench:
    """What an experiment needs of a network and a data set; images are (n, 3, H, W) in [0, 1].

    Attributes:
        predict: images → logits (n, C) in float64, the network in evaluation mode.
        explain: images and a class → heatmaps (n, H, W) with respect to it.
        read: data-set indices → the images that can be read, as they are (with a planted artifact), and their indices.
        labels: (N,) of the whole data set.
        classes: names by label.
        batch_size: images at once.
        seed: of everything that is drawn.
        features: → those of its last layer with places, None where it has none.
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

        def features() -> FeatureSpace | None:
            own = self.features()
            if own is None:
                return None
            return replace(own, moved=lambda images, shifts: _against_rest(own.moved(images, shifts), label))

        return replace(self, predict=lambda images: _against_rest(self.predict(images), label), features=features)

    def batches(self, indices: NDArray[np.int64]) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        """Give images and their indices, batch by batch; what cannot be read is left out."""
        for start in range(0, len(indices), self.batch_size):
            images, kept = self.read(np.asarray(indices[start : start + self.batch_size]))
            if len(kept):
                yield images, kept


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


def measure(
    bench: Bench, indices: NDArray[np.int64], changes: Mapping[str, Change], advance: Advance = lambda images: None
) -> Measurement:
    """Read every sample once and predict it without and with each change; one batch of images at a time.

    Args:
        advance: called with the number of images after each prediction.

    Raises:
        ValueError: nothing can be read.
    """
    return predicted(bench, indices, {name: _after(bench, change) for name, change in changes.items()}, advance)


def predicted(
    bench: Bench, indices: NDArray[np.int64], ways: Mapping[str, Prediction], advance: Advance = lambda images: None
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


def draw_evenly(labels: NDArray[np.int64], pool: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.int64]:
    """Draw indices of the pool, as evenly over its classes as these allow; sorted.

    Args:
        labels, pool: (N,) of the data set, and the indices to draw from.
        samples: how many, at most; a larger number keeps the samples of a smaller one.

    Raises:
        ValueError: the number is not positive.
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
