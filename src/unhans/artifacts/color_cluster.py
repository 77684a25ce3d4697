"""What relevance points at in a cluster's images, and its colours against everything else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from torch import Tensor

from unhans.artifacts.color_detector import ColorDetector
from unhans.artifacts.colors import ColorModel, color_model, lab_images
from unhans.artifacts.grabcut import grab
from unhans.artifacts.separation import Score
from unhans.artifacts.windows import smooth_relevance

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
