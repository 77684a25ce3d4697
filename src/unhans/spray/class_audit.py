"""From the images of one class to what SpRAy found in it ([000] Algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from torch import Tensor

from unhans.attribution import Advance, Explain, explain_all
from unhans.spray.cluster_ranking import rank_clusters
from unhans.spray.groups import Group, groups_of, raw_pixels, views_of
from unhans.spray.results import ClassAudit
from unhans.spray.spray import SpRAy


@dataclass(frozen=True)
class Auditor:
    """Explains the samples of a class and clusters the heatmaps, and, as control, the raw images (METHODS §2).

    Attributes:
        explain: from images and a target to heatmaps.
        spray: how heatmaps are clustered (cloned, never fitted itself).
        description: what its heatmaps mean.
        batch_size: images explained at once.
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
        shown: NDArray[np.floating] | None = None,
        proposed: Sequence[Group] = (),
    ) -> ClassAudit:
        """Audit one class from its images.

        Args:
            images: (n, C, H, W), as they are explained.
            index: (n,) in the data set.
            label: the true label.
            name: of the class.
            control: what `control_of` found in the same images, if wanted; it does not change while a model trains.
            advance: called with the number of samples after each explained batch.
            shown: the images (n, 3, H, W) as a person sees them, in [0, 1].
            proposed: the groups that the images themselves propose (`unhans.spray.groups.image_groups`).

        Raises:
            ValueError: n ≤ n_neighbors, or the heatmaps cannot be clustered.
        """
        if len(images) <= self.spray.neighbours_among(len(images)):
            raise ValueError(
                f"class {name!r} has {len(images)} samples to audit; "
                f"SpRAy expects more than n_neighbors={self.spray.n_neighbors}"
            )
        found = explain_all(self.explain, images, label, self.batch_size, self.device, advance)
        maps = found.maps.numpy()
        spray = clone(self.spray).fit(maps)
        latent = {layer: pooled.numpy() for layer, pooled in found.latent.items()}
        groups = propose_groups(spray, maps, latent, images.numpy() if shown is None else shown, proposed)
        return ClassAudit(
            label=label,
            name=name,
            index=index,
            heatmaps=maps,
            prediction=found.predictions(),
            rank=found.ranks(label),
            spray=spray,
            control=control,
            clusters=rank_clusters(spray, maps, images, groups),
            description=self.description,
        )


def propose_groups(
    spray: SpRAy,
    heatmaps: NDArray[np.floating],
    latent: Mapping[str, NDArray[np.floating]],
    images: NDArray[np.floating],
    proposed: Sequence[Group] = (),
) -> list[Group]:
    """Return groups of samples of a class that may share an artifact, by every view.

    Args:
        spray: whose pooling and number of neighbours the views take.
        heatmaps: (n, H, W).
        latent: by layer (n, 2, C), relevance of its channels; see `unhans.attribution.latent`.
        images: (n, C, h, w), whose colours are a view as well.
        proposed: groups found by patterns and statistics of the images, which come last.
    """
    views = views_of(spray.prepare(heatmaps), latent, images)
    seed = spray.random_state if isinstance(spray.random_state, int) else 0
    return [*groups_of(views, spray.neighbours_among(len(heatmaps)), seed), *proposed]


def control_of(spray: SpRAy, images: Any) -> SpRAy | None:
    """Return SpRAy, with the graph of `spray`, fitted on raw images (METHODS §2); None where all are the same.

    Images are averaged as `raw_pixels` does, and compared by the euclidean distance whatever heatmaps are compared by:
    that of heatmaps may make no sense for images.

    Args:
        spray: whose parameters are taken.
        images: (n, C, H, W) in any scale, sliced in blocks.
    """
    pixels = raw_pixels(images)
    if pixels is None:
        return None
    plain = {"metric": "euclidean", "normalisation": None, "pooling": None, "smoothing": 0.0, "projection": None}
    return clone(spray).set_params(**plain, clusterings=()).fit(pixels)
