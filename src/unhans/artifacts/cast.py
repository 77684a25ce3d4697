"""Global artifacts: the colours of whole images, without a place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.agreement import chance
from unhans.artifacts.isolated import Isolated, NothingIsolatedError
from unhans.artifacts.membership import FOLDS, deal
from unhans.artifacts.separation import area_under_roc

_AUC = 0.85  # below this the colours of a cluster overlap those of the rest too much to be what it shares
_CHANCE = 0.01
_RIDGE = 1e-6  # variance added to each colour feature in [0, 1]: grey images have some that never differ
_NAMES = tuple(f"{what} {channel}" for what in ("mean", "contrast") for channel in ("red", "green", "blue"))


def isolate_global(images: Tensor, members: NDArray[np.bool_], seed: int = 0) -> Isolated:
    """Tell whether mean colour and contrast of whole images (n, 3, H, W) separate a cluster from the rest of its class.

    Held-out scores of a linear discriminant on six numbers per image, the mean and the standard deviation of each
    channel. Raises NothingIsolatedError where their area under the ROC curve is below .85 or could be chance.
    """
    rng = np.random.default_rng([seed, len(images), 2])
    features = color_features(images)
    folds = deal(members, rng)
    scores = _held_out(features, members, folds)
    area = area_under_roc(scores[members], scores[~members])
    probability = chance(scores, members, folds, rng)
    if area < _AUC or probability > _CHANCE:
        raise NothingIsolatedError(
            f"no colour cast: mean colour and contrast of whole images separate the cluster with a held-out AUC of "
            f"{area:.2f} (p = {probability:.2g}), expected at least {_AUC}"
        )
    sentence = (
        f"A global artifact: the colours of the whole image separate the {members.sum()} images of the cluster from "
        f"the other {(~members).sum()} (held-out AUC {area:.2f}, p = {probability:.2g}), most of all "
        f"{_strongest(features, members)}; it has no place and no layer."
    )
    nowhere = np.zeros((len(images), *images.shape[-2:]), dtype=bool)
    return Isolated(
        "global", (), members.copy(), nowhere, None, area, np.zeros((len(images), 4), dtype=np.int64), sentence, seed
    )


def color_features(images: Tensor) -> NDArray[np.float64]:
    """Return mean and standard deviation of each channel of the images (n, 3, H, W): (n, 6)."""
    flat = [image.double().flatten(1) for image in images]
    return np.stack([np.concatenate([x.mean(1).numpy(), x.std(1, correction=0).numpy()]) for x in flat])


def _held_out(
    features: NDArray[np.float64], members: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    scores = np.empty(len(members))
    for fold in range(FOLDS):
        fitted, own = folds != fold, folds == fold
        direction, middle = _discriminant(features[fitted], members[fitted])
        scores[own] = (features[own] - middle) @ direction
    return scores


def _discriminant(
    features: NDArray[np.float64], members: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if members.all() or not members.any():  # the only sample of a group is held out: nothing can be said about it
        return np.zeros(features.shape[1]), np.zeros(features.shape[1])
    means = np.stack([features[~members].mean(0), features[members].mean(0)])
    residual = features - means[members.astype(int)]
    scatter = residual.T @ residual / max(1, len(features) - 2) + _RIDGE * np.eye(features.shape[1])
    direction = np.linalg.solve(scatter, means[1] - means[0])
    return direction / max(np.sqrt(direction @ scatter @ direction), 1e-12), means.mean(0)


def _strongest(features: NDArray[np.float64], members: NDArray[np.bool_]) -> str:
    inside, outside = features[members].mean(0), features[~members].mean(0)
    first = int(np.abs((inside - outside) / np.sqrt(features[~members].var(0) + _RIDGE)).argmax())
    return f"{_NAMES[first]} ({inside[first]:.2f} against {outside[first]:.2f})"
