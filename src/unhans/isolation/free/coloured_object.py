"""Isolation of things that share their colours but no shape: patches, labels, marks of a pen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from torch import Tensor

from unhans.isolation.free.colour_model import ColorDetector, ColorModel, color_model, lab_images
from unhans.isolation.free.segmentation import grab, prototypes
from unhans.isolation.free.windows import smooth_relevance
from unhans.isolation.isolated import Failure, Isolated, NothingIsolatedError, free_artifact
from unhans.isolation.validation import Score, Separation, held_out_separation
from unhans.spray.groups import jaccard

_MEMBERS, _REST = 100, 100  # images that colours are learnt from at most
_THINNED = 5  # of the rest's pixels every fifth
_LARGER = 1.5  # times the size of nearly all that were seen: a part that is larger is another thing
_RIM = 5  # pixels round a mask that count neither as inside nor as outside


@dataclass(frozen=True)
class ColorCluster:
    """A cluster that colour models learn from.

    Attributes:
        images, heatmaps: (n, 3, H, W) in [0, 1], and (n, H, W).
        members, seed: (n,) of the cluster, and the seed of what is drawn from them.
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

    Args:
        images, heatmaps: (n, 3, H, W) in [0, 1], and (n, H, W).
        members, seed: (n,) of the cluster, and the seed of what is drawn from them.

    Raises:
        NothingIsolatedError: colours learnt from one half of the members do not separate the other half from the rest,
            or find something else than relevance points at: the class's object in other colours is no artifact.
    """
    cluster = ColorCluster(images, heatmaps, members, seed)
    separation = held_out_separation(cluster.score_images, cluster.learners, np.flatnonzero(~members), seed)
    if separation.convincing:
        return _with_detector(cluster, separation)
    raise NothingIsolatedError(Failure("no own colours", separation.values))


def _with_detector(cluster: ColorCluster, separation: Separation) -> Isolated:
    detector = cluster.detector(cluster.learners, separation.threshold)
    match = detector.match(cluster.images)
    agreed = [i for i in cluster.learners.tolist() if jaccard(match.masks[i], cluster.mask(i)) > _AGREED]
    if len(agreed) < _LEAST_AGREED * len(cluster.learners):
        values = {"agreed": len(agreed), "members": len(cluster.learners), "least": _LEAST_AGREED}
        raise NothingIsolatedError(Failure("colours elsewhere", values))
    masks = match.masks[match.carries & cluster.members]
    covered = float(np.median(masks.mean((1, 2)))) if len(masks) else 0.0
    if covered > _WHOLE:
        raise NothingIsolatedError(Failure("colours everywhere", {"share": covered, "most": _WHOLE}))
    pixels, places = (np.stack([of(i) for i in agreed]) for of in (cluster.lab.__getitem__, cluster.mask))
    layers = prototypes(cluster.images[agreed], pixels, places)
    return free_artifact("colour", layers, detector, match, cluster.members, separation.area, cluster.seed)
