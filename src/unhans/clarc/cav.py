"""Concept activation vectors: a direction in feature space that tells samples with an artifact from those without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from unhans.clarc.cav_estimators import ESTIMATORS, InSpan, Lasso, combined, held_out
from unhans.lrp.tracing import layout_of_shape

Estimator = Literal["svm", "logistic", "ridge", "lasso", "mean_difference", "pattern"]
Spatial = Literal["positions", "channels"]


@dataclass(frozen=True)
class Concept:
    """A concept activation vector (CAV) at a layer.

    Attributes:
        layer: name of the module whose output it lives in.
        estimator: how it was fitted.
        spatial: "positions" where every element of the feature maps or tokens has its own weight, "channels" where a
            channel has one weight at all positions.
        direction: unit vector of the shape of one sample's output, such as (C, H, W), (H, W, C) or (N, C); (C,) for
            channels.
        affected, unaffected: mean activation, of the same shape, of samples with and without the artifact.
        threshold: between the scores ⟨h, v⟩ of both.
        n_affected, n_unaffected: how many samples.
        separation: AUC of ⟨h, v⟩ on held-out samples.
        separations: the AUC of every fold.
        distance: of the mean held-out scores of affected and unaffected samples, in pooled standard deviations.
        axis: which axis of the layer's output holds the channels: 1 of (n, C, H, W), 3 of (n, H, W, C), 2 of (n, N, C).
    """

    layer: str
    estimator: Estimator
    spatial: Spatial
    direction: Tensor
    affected: Tensor
    unaffected: Tensor
    threshold: float
    n_affected: int
    n_unaffected: int
    separation: float
    separations: tuple[float, ...]
    distance: float = float("nan")
    axis: int = 1


ROUNDING = 1e-9  # means that differ by less, relative to their length, are the same


def fit(
    activations: Tensor,
    affected: ArrayLike | Tensor,
    *,
    layer: str = "",
    estimator: Estimator = "pattern",
    spatial: Spatial = "positions",
    penalty: float = 1.0,
    seed: int = 0,
    axis: int | None = None,
) -> Concept:
    """Fit a concept activation vector [001; METHODS §5]: the unit direction towards affected samples.

    Estimates with an L2 penalty are solved exactly in the span of the samples, so that nothing larger than the
    activations is made; the weight of a penalty does not depend on their scale. The lasso takes a copy of them.

    Args:
        activations: (n, C, H, W), (n, H, W, C) or tokens (n, N, C), of a layer; kept as they are.
        affected: (n,) bool, which samples carry the artifact; at least two do and two do not.
        layer: name of the layer, for the result.
        estimator: svm, logistic, ridge, lasso, mean_difference or pattern; on two classes the last two are the same.
        spatial: "positions" for one weight per element, for artifacts that have their place; "channels" for one weight
            per channel, from activations averaged over positions, for artifacts that have none.
        penalty: of svm, logistic, ridge and lasso, in units of the default.
        seed: of the folds that the separation is measured on.
        axis: which axis of the activations holds the channels; see `channel_axis`. By default the last of tokens, and
            of four axes what the equal sides of square maps tell: with as many channels as rows the second.

    Raises:
        ValueError: for too few samples of either kind, activations that are not finite, of another shape, or the same
            for both, and an unknown estimator or spatial mode; for channels of an axis that cannot be told.
    """
    labels = _labels(activations, affected)
    _check(activations, labels, estimator, spatial, penalty)
    axis = _axis(activations.shape, axis, spatial)
    shape = activations.shape[axis : axis + 1] if spatial == "channels" else activations.shape[1:]
    features = _features(activations.detach(), spatial, axis)
    means = combined(features, np.stack([labels / labels.sum(), ~labels / (~labels).sum()]))
    if not bool(means.isfinite().all()):
        raise ValueError(f"The activations{_at(layer)} must be finite, got NaN or infinite values.")
    lasso = estimator == "lasso"
    found = Lasso(features, labels, penalty) if lasso else InSpan(features, labels, estimator, penalty)
    direction = _unit(found.direction(found.solve(np.arange(len(labels)))), means, layer)
    separations, distance = held_out(found, labels, seed)
    return Concept(
        layer=layer,
        estimator=estimator,
        spatial=spatial,
        direction=direction.float().reshape(shape),
        affected=means[0].float().reshape(shape),
        unaffected=means[1].float().reshape(shape),
        threshold=float(direction @ means.mean(0)),
        n_affected=int(labels.sum()),
        n_unaffected=int((~labels).sum()),
        separation=float(np.mean(separations)),
        separations=separations,
        distance=distance,
        axis=axis,
    )


def _labels(activations: Tensor, affected: ArrayLike | Tensor) -> NDArray[np.bool_]:
    """Which samples are affected, one for each of the activations."""
    labels = np.asarray(affected.cpu() if isinstance(affected, Tensor) else affected)
    if activations.dim() not in (3, 4) or labels.shape != activations.shape[:1]:
        raise ValueError(
            "A CAV needs activations (n, C, H, W) or (n, N, C) and affected (n,), "
            f"got {tuple(activations.shape)} and {labels.shape}."
        )
    return labels.astype(bool)


def _check(activations: Tensor, labels: NDArray[np.bool_], estimator: str, spatial: str, penalty: float) -> None:
    for name, value, known in (("estimator", estimator, ESTIMATORS), ("spatial", spatial, get_args(Spatial))):
        if value not in known:
            raise ValueError(f"{name} expects one of {', '.join(known)}, got {value!r}.")
    if not 0 < penalty < float("inf"):
        raise ValueError(f"penalty expects a number above 0, got {penalty!r}.")
    for kind, n in (("affected", int(labels.sum())), ("unaffected", int((~labels).sum()))):
        if n < 2:
            raise ValueError(f"A CAV needs at least two affected and two unaffected samples, got {n} {kind}.")


def _axis(shape: torch.Size, axis: int | None, spatial: str) -> int:
    """The axis of the channels; where there is a weight per element it does not matter."""
    if axis is not None:
        if axis not in ((2,) if len(shape) == 3 else (1, 3)):
            raise ValueError(f"axis expects 1 or 3 of four axes, 2 of three, got {axis} of {tuple(shape)}.")
        return axis
    if len(shape) == 3:
        return 2
    guess = layout_of_shape(shape)
    if guess is None and spatial == "channels":
        raise ValueError(
            f"Activations of shape {tuple(shape)} do not tell which axis holds the channels; give axis=1 for "
            "(n, C, H, W) or axis=3 for (n, H, W, C)."
        )
    return 1 if guess is None else guess.channels


def _features(activations: Tensor, spatial: str, axis: int) -> Tensor:
    """One row per sample."""
    activations = activations.cpu()
    if spatial != "channels":
        return activations.flatten(1)
    return activations.movedim(axis, 1).flatten(2).mean(2, dtype=torch.float64)


def _unit(direction: Tensor, means: Tensor, layer: str) -> Tensor:
    """The direction with length 1, pointing from the unaffected to the affected mean."""
    length, difference = float(direction.norm()), means[0] - means[1]
    towards = float(direction @ difference)
    if float(difference.norm()) <= ROUNDING * float(means.norm()) or length == 0 or towards == 0:
        raise ValueError(f"There is no direction{_at(layer)}: the samples with and without the artifact do not differ.")
    return direction / (length if towards > 0 else -length)


def _at(layer: str) -> str:
    return f" at {layer}" if layer else ""
