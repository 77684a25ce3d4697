"""Isolation of things that share their colours but no shape: patches, labels, marks of a pen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from torch import Tensor

from unhans.isolation.colour.colour_model import ColorDetector, ColorModel, color_model, lab_images
from unhans.isolation.colour.segmentation import grab, prototypes
from unhans.isolation.isolated import Isolated, NothingIsolatedError, free_artifact
from unhans.isolation.validation import LEAST_AREA, Score, Separation, held_out_separation
from unhans.isolation.windows import smooth_relevance
from unhans.spray.groups import jaccard

_MEMBERS, _REST = 100, 100  # images that colours are learnt from at most
_THINNED = 5  # of the rest's pixels every fifth
_LARGER = 1.5  # times the size of nearly all that were seen: a part that is larger is another thing
_RIM = 5  # pixels round a mask that count neither as inside nor as outside


@dataclass(frozen=True)
class ColorCluster:
    """A cluster that colour models learn from.

    images (n, 3, H, W) in [0, 1], heatmaps (n, H, W), members (n,) of the cluster; seed: of what is drawn from them.
    """

    images: Tensor
    heatmaps: NDArray[np.floating]
    members: NDArray[np.bool_]
    seed: int
    _masks: dict[int, NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    @cached_property
    def learners(self) -> NDArray[np.int64]:
        """The members that colours are learnt from."""
        return self._drawn(self.members, _MEMBERS)

    @cached_property
    def rest(self) -> NDArray[np.int64]:
        """The images of the rest that colours are learnt from."""
        return self._drawn(~self.members, _REST)

    @cached_property
    def lab(self) -> dict[int, NDArray[np.uint8]]:
        """The pixels of both in Lab, by sample index."""
        both = np.concatenate((self.learners, self.rest))
        return dict(zip(both.tolist(), lab_images(self.images[both]), strict=True))

    def mask(self, i: int) -> NDArray[np.bool_]:
        """Return what relevance points at in a learner, by its sample index."""
        if i not in self._masks:
            self._masks[i] = grab(self.lab[i], smooth_relevance(self.heatmaps[i : i + 1])[0])
        return self._masks[i]

    def model(self, some: NDArray[np.int64]) -> ColorModel:
        """Return the colours of what relevance points at in some learners, against those of all the rest."""
        inside = [self.lab[i][self.mask(i)] for i in some.tolist()]
        outside = [self.lab[i][~binary_dilation(self.mask(i), iterations=_RIM)] for i in some.tolist()]
        return color_model(inside, outside + [self.lab[i].reshape(-1, 3)[::_THINNED] for i in self.rest.tolist()])

    def detector(self, some: NDArray[np.int64], threshold: float = 0.0) -> ColorDetector:
        """Return what finds the colours of some learners in parts not much larger than theirs."""
        largest = _LARGER * float(np.quantile([self.mask(i).mean() for i in some.tolist()], 0.9))
        return ColorDetector(self.model(some), largest, threshold)

    def score_images(self, some: NDArray[np.int64]) -> Score | None:
        """Return the scores of whole images by the colours of some learners."""
        detector = self.detector(some)
        return lambda indices: detector.match(self.images[indices]).scores

    def _drawn(self, kind: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
        return np.sort(np.random.default_rng([self.seed, 4]).permutation(np.flatnonzero(kind))[:most])


_AGREED = 0.5  # overlap of two masks of a thing, by relevance and by colour, that makes it a prototype's candidate
_LEAST_AGREED = 0.5  # share of the cluster in which the two must overlap: else colour finds something else there
_WHOLE = 0.5  # of the image: what covers more is no patch


def isolate_colored(
    images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int = 0
) -> Isolated:
    """Find the things at which relevance points in a cluster's images, if their colours tell the cluster from the rest.

    images (n, 3, H, W) in [0, 1], heatmaps (n, H, W), members (n,) of the cluster. Raises NothingIsolatedError where
    colours learnt from one half of the members do not separate the other half from the rest, and where they find
    something else than relevance points at: the class's object in other colours is no artifact.
    """
    cluster = ColorCluster(images, heatmaps, members, seed)
    separation = held_out_separation(cluster.score_images, cluster.learners, np.flatnonzero(~members), seed)
    if separation.convincing:
        return _with_detector(cluster, separation)
    raise NothingIsolatedError(
        "what relevance points at in the cluster has no colours of its own: those of one half of the members separate "
        f"the other half's images from the rest with an area under the ROC curve of {separation.area:.2f} (standard "
        f"error of chance {separation.error:.2f}), where {LEAST_AREA} and three such errors above 0.5 are needed"
    )


def _with_detector(cluster: ColorCluster, separation: Separation) -> Isolated:
    detector = cluster.detector(cluster.learners, separation.threshold)
    match = detector.match(cluster.images)
    agreed = [i for i in cluster.learners.tolist() if jaccard(match.masks[i], cluster.mask(i)) > _AGREED]
    _check_agreement(len(agreed), len(cluster.learners))
    _check_size(match.masks[match.carries & cluster.members])
    layers = prototypes(
        cluster.images[agreed],
        np.stack([cluster.lab[i] for i in agreed]),
        np.stack([cluster.mask(i) for i in agreed]),
    )
    found, others = match.carries[cluster.members].sum(), match.carries[~cluster.members].sum()
    sentence = (
        f"{_things(layers)}: found by colour in {found} of {cluster.members.sum()} images of the cluster and {others} "
        f"of {(~cluster.members).sum()} others; held-out area under the ROC curve {separation.area:.2f}."
    )
    return free_artifact(layers, detector, match, separation.area, sentence, cluster.seed)


def _things(layers: tuple[Tensor, ...]) -> str:
    count = "one colour" if len(layers) == 1 else f"{len(layers)} colours"
    return f"Things of {count} and of changing shape at changing places"


def _check_agreement(agreed: int, looked_at: int) -> None:
    if agreed < _LEAST_AGREED * looked_at:
        raise NothingIsolatedError(
            "what has the cluster's colours is not what relevance points at: they overlap in "
            f"{agreed} of {looked_at} images of the cluster, and {_LEAST_AGREED:.0%} are needed"
        )


def _check_size(masks: NDArray[np.bool_]) -> None:
    covered = float(np.median(masks.mean((1, 2)))) if len(masks) else 0.0
    if covered > _WHOLE:
        raise NothingIsolatedError(
            "the cluster's colours are not those of a part of the images: what has them covers "
            f"{covered:.0%} of an image, and at most {_WHOLE:.0%} is a patch"
        )
