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
from unhans.spray.groups import Described, Group, groups_of, image_groups, views_of
from unhans.spray.raw_images import raw_pixels
from unhans.spray.results import ClassAudit
from unhans.spray.spray import SpRAy


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
        shown: NDArray[np.floating] | None = None,
        reference: NDArray[np.floating] | Described | None = None,
        proposed: Sequence[Group] | None = None,
    ) -> ClassAudit:
        """Audit one class from its images (n, C, H, W) with data-set indices (n,), for the true label.

        control is what `control_of` found in the same images, if wanted; it does not change while a model trains.
        advance is called with the number of samples after each explained batch. shown: the images (n, 3, H, W) as a
        person sees them, in [0, 1]; reference: such images (m, 3, H, W) of other classes, or what describes them. Where
        both are given, groups that share something in the images are proposed beside those of the heatmaps;
        proposed: these groups, where they are known already, as the images stay the same while a model trains.
        Raises ValueError where n ≤ n_neighbors or heatmaps cannot be clustered.
        """
        self.check_size(len(images), name)
        targets = torch.full((len(images),), label)
        found = explain_all(self.explain, images, targets, self.batch_size, self.device, advance)
        maps, scores = found.maps.numpy(), found.logits
        spray = clone(self.spray).fit(maps)
        latent = {layer: pooled.numpy() for layer, pooled in found.latent.items()}
        groups = propose(spray, maps, latent, images.numpy() if shown is None else shown, reference, proposed)
        return ClassAudit(
            label=label,
            name=name,
            index=index,
            heatmaps=maps,
            prediction=scores.argmax(1).numpy(),
            rank=(scores > scores[:, [label]]).sum(1).numpy(),
            spray=spray,
            control=control,
            clusters=rank_clusters(spray, maps, images, groups),
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


def propose(
    spray: SpRAy,
    heatmaps: NDArray[np.floating],
    latent: Mapping[str, NDArray[np.floating]],
    images: NDArray[np.floating],
    reference: NDArray[np.floating] | Described | None = None,
    proposed: Sequence[Group] | None = None,
) -> list[Group]:
    """Return groups of samples of a class that may share an artifact, by every view.

    Args:
        spray: whose pooling and number of neighbours the views take.
        heatmaps: (n, H, W).
        latent: by layer (n, 2, C), relevance of its channels; see `unhans.attribution.latent`.
        images: (n, C, h, w); with a reference (m, C, h, w) of other classes, or what describes it, both in [0, 1].
        reference: None: patterns and statistics of the images are not looked for.
        proposed: the groups found by these, where they are known.
    """
    views = views_of(spray.prepare(heatmaps), latent, images)
    seed = spray.random_state if isinstance(spray.random_state, int) else 0
    groups = groups_of(views, spray.n_neighbors, seed)
    if proposed is None:
        proposed = () if reference is None else image_groups(images, reference)
    return [*groups, *proposed]


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
