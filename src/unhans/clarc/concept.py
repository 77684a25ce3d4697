"""A direction in feature space that tells samples with an artifact from those without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

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
