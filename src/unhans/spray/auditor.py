"""From the images of one class to what SpRAy found in it ([000] Algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from torch import Tensor

from unhans.attribution import Advance, Explain, explained
from unhans.spray.clusters import rank_clusters
from unhans.spray.estimator import SpRAy
from unhans.spray.finding import ClassAudit
from unhans.spray.raw import raw_pixels


@dataclass(frozen=True)
class Auditor:
    """Explains the samples of a class and clusters the heatmaps, and, as control, the raw images (METHODS §2).

    explain: from images and a target to heatmaps; spray: how heatmaps are clustered (cloned, never fitted itself);
    description: what its heatmaps mean; batch_size: images explained at once; device: where.
    """

    explain: Explain
    spray: SpRAy
    description: str = ""
    batch_size: int = 32
    device: torch.device | str = "cpu"

    def audit(
        self,
        images: Tensor,
        index: NDArray[np.int64],
        label: int,
        name: str,
        control: SpRAy | None = None,
        advance: Advance = lambda samples: None,
    ) -> ClassAudit:
        """Audit one class from its images (n, C, H, W) with data-set indices (n,), for the true label.

        control is what `control_of` found in the same images, if wanted; it does not change while a model trains.
        advance is called with the number of samples after each explained batch.
        Raises ValueError where n ≤ n_neighbors or heatmaps cannot be clustered.
        """
        self.check_size(len(images), name)
        maps, prediction, rank = explained(self.explain, images, label, self.batch_size, self.device, advance)
        spray = clone(self.spray).fit(maps)
        return ClassAudit(
            label=label,
            name=name,
            index=index,
            heatmaps=maps,
            prediction=prediction,
            rank=rank,
            spray=spray,
            control=control,
            clusters=rank_clusters(spray, maps, images),
            description=self.description,
        )

    def check_size(self, n: int, name: str) -> None:
        """Raise ValueError where a class is too small to be clustered."""
        if n <= self.spray.n_neighbors:
            raise ValueError(
                f"class {name!r} has {n} samples to audit; SpRAy expects more than n_neighbors={self.spray.n_neighbors}"
            )

    def control_of(self, images: Tensor) -> SpRAy | None:
        """Return SpRAy on the raw images (n, C, H, W); None where all are the same."""
        return control_of(self.spray, images.numpy())


def control_of(spray: SpRAy, images: Any) -> SpRAy | None:
    """Return SpRAy, with the graph of `spray`, fitted on raw images (METHODS §2); None where all are the same.

    images: (n, C, H, W) in any scale, sliced in blocks; they are averaged as `raw_pixels` does, and compared by the
    euclidean distance whatever heatmaps are compared by: that of heatmaps may make no sense for images.
    """
    pixels = raw_pixels(images)
    if pixels is None:
        return None
    plain = {"metric": "euclidean", "normalisation": None, "pooling": None, "projection": None, "clusterings": ()}
    return clone(spray).set_params(**plain).fit(pixels)
