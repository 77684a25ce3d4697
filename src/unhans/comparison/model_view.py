"""What several models say about the same images, and how far two of them disagree about each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.comparison.heatmap_agreement import cosine, spearman, top_overlap
from unhans.comparison.mask_agreement import mask_overlap

TOP = 0.05  # share of the cells that count as most relevant


@dataclass(frozen=True)
class ModelView:
    """What one model says about n images; heatmaps and masks are for the label.

    Attributes:
        predicted: (n,) the class it predicts, as its place among the names of all models' classes, common ones first.
        probability: (n,) of the label, among all outputs of the model.
        heatmaps: (n, g, g) relevance summed onto a grid that all models share.
        masks: (n, h, w) in [0, 1], NaN for images without one; None where no masks were made.
        through: (n,) by the name of a model, the probability of the label under that model's masks; NaN as above.
        influence: (n, t) scores of training images, NaN for images that were no query; None where none were computed.
    """

    predicted: NDArray[np.int64]
    probability: NDArray[np.float64]
    heatmaps: NDArray[np.float32]
    masks: NDArray[np.float32] | None = None
    through: Mapping[str, NDArray[np.float64]] | None = None
    influence: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.int64]) -> ModelView:
        """Return what it says about some of the images, in that order."""
        return ModelView(
            self.predicted[rows],
            self.probability[rows],
            self.heatmaps[rows],
            None if self.masks is None else self.masks[rows],
            None if self.through is None else {name: values[rows] for name, values in self.through.items()},
            None if self.influence is None else self.influence[rows],
        )


Views = Mapping[str, ModelView]


def _on_masked(first: ModelView, second: ModelView) -> NDArray[np.float64]:
    found = np.full(len(first.predicted), np.nan)
    rows = np.flatnonzero(~np.isnan(first.masks[:, 0, 0]) & ~np.isnan(second.masks[:, 0, 0]))
    found[rows] = mask_overlap(first.masks[rows], second.masks[rows])
    return found


HEATMAP_MEASURES: dict[str, Callable[[NDArray, NDArray], NDArray[np.float64]]] = {
    "cosine": cosine,
    "rank correlation": spearman,
    "top overlap": lambda one, two: top_overlap(one, two, TOP),
}


def disagreements(views: Views, first: str, second: str) -> dict[str, NDArray[np.float64]]:
    """Return how far two models disagree about every image (n,), by measure; 0 is none, NaN not known.

    "cosine", "rank correlation" and "top overlap" are one minus that agreement of the heatmaps ("top overlap" is the
    intersection over union of the 5 % most relevant cells). "masks" is one minus the overlap of the masks, "transfer"
    the larger one of both models' drops in probability under the other one's masks, and "influence" one minus the rank
    correlation of the scores of training images. The last three are there where both models have them.
    """
    one, two = views[first], views[second]
    found = {name: 1 - measure(one.heatmaps, two.heatmaps) for name, measure in HEATMAP_MEASURES.items()}
    if one.masks is not None and two.masks is not None:
        found["masks"] = 1 - _on_masked(one, two)
        found["transfer"] = np.maximum(drop(views, first, second), drop(views, second, first))
    if one.influence is not None and two.influence is not None:
        found["influence"] = 1 - _by_query(one.influence, two.influence)
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
    """Return the probability of the label under another model's masks, divided by that under the model's own (n,)."""
    through = views[model].through
    with np.errstate(divide="ignore", invalid="ignore"):
        return through[giver] / through[model]
