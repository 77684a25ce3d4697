"""What sets a group of samples apart in feature space, and what it does to predictions.

Where no pixels of an artifact can be isolated, the direction of the group in the features of a layer can still be added
to samples of other classes and taken away from those of the group, as a concept activation vector fitted by the
difference of means (Kim et al. 2018, "TCAV"; Anders et al. 2022, "ClArC"). This shows that the network uses what the
group shares. It does not show what that is, and so it never makes an artifact proven or not used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.effects.bench import Bench, FeatureSpace, Prediction, drawn, predicted
from unhans.effects.effect import Trial, trial
from unhans.effects.verdict import rule

FEWEST = 20  # samples in the group and beside it; half of them fit the direction
MOST = 100  # of each part that are looked at
DIRECTION, PAIR, CLASS = "direction of the group", "two samples of the class", "direction of the class"
_HALVES, _PAIRS = 31, 32  # tags of what is drawn
_LEAST = 1e-12

Directions = Callable[[NDArray[np.int64]], NDArray[np.float64]]  # indices (n,) → shifts (n, C)


@dataclass(frozen=True)
class FeatureEffect:
    """What a concept direction does in the features of a layer; no pixels of an artifact are known.

    Attributes:
        added: the direction added to the features of samples of other classes, then its controls.
        removed: the direction taken away from those of affected samples, then its controls; may be empty.
    """

    layer: str
    added: tuple[Trial, ...]
    removed: tuple[Trial, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether adding it passes the rule of a proven artifact. It is not among the tests of the error rate."""
        return rule(self.added)[0] == "proven"


def feature_effect(
    bench: Bench,
    label: int,
    index: NDArray[np.int64],
    members: NDArray[np.bool_],
    others: NDArray[np.int64],
    tested_on: NDArray[np.int64],
) -> FeatureEffect | None:
    """Add the direction of a group to the features of samples of other classes, and take it away from the group's own.

    The direction is the mean of half of the group less the mean of half of the rest of its class, features being
    averaged over places; it is added at every place. It is taken away from the other half of the group. Two controls of
    the same length are tried on the same samples: the difference of two samples of the rest, drawn for each sample, and
    the direction from other classes to the rest of the class.

    Args:
        bench: the network and a data set; every index counts in this data set.
        label: the class.
        index: (n,) its samples.
        members: (n,) bool, the group.
        others: samples of other classes that fit the direction of the class.
        tested_on: samples of other classes that the directions are added to.

    Returns None where the network has no features with places, or the group or the rest has fewer than 20 samples, or
    they do not differ.
    """
    space = bench.features()
    if space is None or min(members.sum(), (~members).sum()) < FEWEST:
        return None
    group = drawn(index[members], MOST, bench.seed)
    fitted = np.sort(np.random.default_rng([bench.seed, _HALVES]).permutation(group)[: len(group) // 2])
    held_out = np.setdiff1d(group, fitted)
    rest = _means(bench, space, drawn(index[~members], MOST, bench.seed))
    direction = _means(bench, space, fitted).mean(0) - rest[::2].mean(0)
    length = float(np.linalg.norm(direction))
    if length < _LEAST:
        return None
    ways: dict[str, Directions] = {
        DIRECTION: lambda indices: np.tile(direction, (len(indices), 1)),
        PAIR: _between_two(rest, length, bench.seed),
    }
    away = _trials(bench, space, label, held_out, {"removed": ways[DIRECTION], PAIR: ways[PAIR]}, -1)
    own = rest.mean(0) - _means(bench, space, others).mean(0)
    if np.linalg.norm(own) >= _LEAST:
        own = own * length / np.linalg.norm(own)
        ways[CLASS] = lambda indices: np.tile(own, (len(indices), 1))
    return FeatureEffect(space.layer, _trials(bench, space, label, tested_on, ways, 1), away)


def _means(bench: Bench, space: FeatureSpace, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    found = [space.means(images) for images, _ in bench.batches(indices)]
    if not found:
        raise ValueError(f"features need samples that can be read, got none of {len(indices)}")
    return np.concatenate(found)


def _between_two(features: NDArray[np.float64], length: float, seed: int) -> Directions:
    """Differences of two samples, drawn for every sample that they are added to, of the given length."""

    def directions(indices: NDArray[np.int64]) -> NDArray[np.float64]:
        pairs = [np.random.default_rng([seed, _PAIRS, int(i)]).choice(len(features), 2, replace=False) for i in indices]
        first, second = np.array(pairs).T
        found = features[first] - features[second]
        return found * length / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), _LEAST)

    return directions


def _trials(
    bench: Bench, space: FeatureSpace, label: int, indices: NDArray[np.int64], ways: dict[str, Directions], sign: int
) -> tuple[Trial, ...]:
    """The effect of every way to move the features of these samples, towards the class."""

    def moved(directions: Directions) -> Prediction:
        return lambda images, read: space.moved(images, sign * directions(read))

    measured = predicted(bench, indices, {name: moved(each) for name, each in ways.items()})
    return tuple(
        trial(name, measured.before, after, label, measured.indices, bench.seed, lost=sign < 0)
        for name, after in measured.after.items()
    )
