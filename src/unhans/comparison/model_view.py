"""What several models say about the same images, and how far two of them disagree about each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.comparison.cluster_agreement import by_class
from unhans.comparison.heatmap_agreement import cosine, spearman, top_overlap
from unhans.comparison.image_masks import ImageMasks, overlap_of

TOP = 0.05  # share of the cells that count as most relevant


@dataclass(frozen=True)
class ModelView:
    """What one model says about n images; heatmaps and masks are for the label.

    Attributes:
        predicted: (n,) the class it predicts, as its place among the names of all models' classes, common ones first.
        probability: (n,) of the label, among all outputs of the model.
        heatmaps: (n, g, g) relevance summed onto a grid that all models share.
        masks: rounded, of some of the images and of one size for all models; None where no masks were made.
        through: (n,) by the name of a model, the probability of the label under that model's masks; NaN for images
            without one.
        influence: (n, t) scores of training images, NaN for images that were no query; None where none were computed.
        clusters: (n,) 2 · label + 0 or 1, two clusters of each class by the gradients of its queries; −1 for images
            that were not clustered, None where none were.
    """

    predicted: NDArray[np.int64]
    probability: NDArray[np.float64]
    heatmaps: NDArray[np.float32]
    masks: ImageMasks | None = None
    through: Mapping[str, NDArray[np.float64]] | None = None
    influence: NDArray[np.float32] | None = None
    clusters: NDArray[np.int64] | None = None

    def take(self, rows: NDArray[np.int64]) -> ModelView:
        """Return what it says about some of the images, in that order."""
        return ModelView(
            self.predicted[rows],
            self.probability[rows],
            self.heatmaps[rows],
            None if self.masks is None else self.masks.take(rows),
            None if self.through is None else {name: values[rows] for name, values in self.through.items()},
            None if self.influence is None else self.influence[rows],
            None if self.clusters is None else self.clusters[rows],
        )


Views = Mapping[str, ModelView]


HEATMAP_MEASURES: dict[str, Callable[[NDArray, NDArray], NDArray[np.float64]]] = {
    "cosine": cosine,
    "rank correlation": spearman,
    "top overlap": lambda one, two: top_overlap(one, two, TOP),
}


def disagreements(views: Views, first: str, second: str) -> dict[str, NDArray[np.float64]]:
    """Return how far two models disagree about every image (n,), by measure; 0 is none, NaN not known.

    "cosine", "rank correlation" and "top overlap" are one minus that agreement of the heatmaps ("top overlap" is the
    intersection over union of the 5 % most relevant cells). "masks" is one minus the overlap of the masks, "transfer"
    the larger one of both models' drops in probability under the other one's masks, "transfer quotient" the larger
    share of it that either loses, "influence" one minus the rank correlation of the scores of training images, and
    "gradient clusters" what `cluster_disagreement` says of each class. These are there where both models have them.
    """
    one, two = views[first], views[second]
    found = {name: 1 - measure(one.heatmaps, two.heatmaps) for name, measure in HEATMAP_MEASURES.items()}
    if one.masks is not None and two.masks is not None:
        found["masks"] = 1 - overlap_of(one.masks, two.masks, len(one.predicted))
        found["transfer"] = np.maximum(drop(views, first, second), drop(views, second, first))
        found["transfer quotient"] = 1 - np.minimum(quotient(views, first, second), quotient(views, second, first))
    if one.influence is not None and two.influence is not None:
        found["influence"] = 1 - _by_query(one.influence, two.influence)
    if one.clusters is not None and two.clusters is not None:
        found["gradient clusters"] = by_class(one.clusters, two.clusters, one.clusters // 2)
    return found


def _by_query(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    found = np.full(len(first), np.nan)
    rows = np.flatnonzero(~np.isnan(first).any(1) & ~np.isnan(second).any(1))
    found[rows] = spearman(first[rows], second[rows])
    return found


def drop(views: Views, model: str, giver: str) -> NDArray[np.float64]:
    """Return the probability of the label under a model's own masks minus that under another model's (n,).

    A drop is at most what the model reaches under its own mask, which differs between models; `quotient` is not.
    """
    through = views[model].through
    return through[model] - through[giver]


def quotient(views: Views, model: str, giver: str) -> NDArray[np.float64]:
    """Return the probability of the label under another model's masks, divided by that under the model's own (n,).

    It is NaN where the model's own mask leaves nothing of it.
    """
    through = views[model].through
    own = np.where(through[model] > 0, through[model], np.nan)
    return through[giver] / own
