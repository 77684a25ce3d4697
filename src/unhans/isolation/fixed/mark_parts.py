"""The parts of a mark at a fixed place: what they look like, and how relevant each one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, from_numpy

from unhans.isolation.fixed.discriminant import contrast, extent, grown, regions
from unhans.isolation.fixed.matting import PixelStatistics, estimate_layer, ratio_noise, statistics
from unhans.isolation.fixed.membership import Membership
from unhans.isolation.isolated import Failure, FixedEvidence, LeftPart, NothingIsolatedError, Position
from unhans.spray.groups import ColourFilter, split

_RIM = 1 / 112  # of the shorter side: relevance lies on both sides of an outline, so much beyond a part counts as its
_EDGE = 1 / 224  # of the shorter side: the width of an outline
_LITTLE = 0.25  # of the map's mean that is enough where no part exceeds it: at the rim relevance is rare, objects are
# central, and what the artifact does is measured by pasting it anyway
_SAME_ALPHA, _SAME_COLOR = 0.1, 0.1  # differences up to which parts look the same, beyond two standard errors


@dataclass(frozen=True)
class Part:
    """A connected part of a mark: where it is, how it looks and how relevant it is.

    Attributes:
        mask: (H, W), where it is.
        density: its relevance as a multiple of the map's mean.
        alpha, color: its level in [0, 1], and its mean colour (3,).
        error: standard error of a pixel's mean value.
    """

    mask: NDArray[np.bool_]
    density: float
    alpha: float
    color: NDArray[np.float64]
    error: float

    def looks_like(self, other: Part) -> bool:
        """Whether alpha and colour are the same within the noise of their estimates: the sides of one border."""
        error = 2 * max(self.error, other.error)
        alike = abs(self.alpha - other.alpha) <= _SAME_ALPHA + error
        difference = np.abs(self.color - other.color).max()
        return bool(alike and difference <= _SAME_COLOR + error / max(self.alpha, other.alpha, _SAME_ALPHA))


def relevance_density(mask: NDArray[np.bool_], relevance: NDArray[np.floating]) -> float:
    """Return the mean of a relevance map (H, W) on a mask or inside its outline, as a multiple of the map's mean.

    The larger of the two: of a flat surface a network sees the edge.
    """
    side = min(mask.shape)
    near, inner = grown(mask, round(_RIM * side)), mask & grown(~mask, max(1, round(_EDGE * side)))
    mean = max(float(relevance[part].mean()) for part in (near, inner) if part.any())
    return mean / max(float(relevance.mean()), 1e-30)


def relevant_parts(parts: Sequence[Part]) -> tuple[list[Part], float | None]:
    """Return the parts that are relevant and those that continue one of them: of the same colour and transparency.

    Relevant: more so per pixel than the map's mean. Is none, the parts that look the same and have the most relevance
    together are kept, if that is at least a quarter of the map's mean. Nothing may be kept. The second result is the
    relevance of the best parts where it is below the map's mean, else None.
    """
    relevant = [part for part in parts if part.density > 1]
    if relevant:
        return [part for part in parts if any(part.looks_like(other) for other in relevant)], None
    groups = [[part for part in parts if part.looks_like(first)] for first in parts]
    best = max(groups, key=_together, default=[])
    together = _together(best)
    return best if together >= _LITTLE else [], together


def _together(parts: Sequence[Part]) -> float:
    sizes = [part.mask.sum() for part in parts]
    return float(np.average([part.density for part in parts], weights=sizes)) if parts else 0.0


RIM = 3  # pixels round the strong contrast in which a faint rim of the mark can lie
_VISIBLE = 0.05  # median alpha where the means differ, below which the images do not agree there
_SURE = 2.0  # standard errors that it must exceed zero by
_FAR_APART = 12.0  # robust standard deviations between the two groups of scores from which a mark needs no opacity
_PATCH = 100  # pixels over which images vary together, about: an alpha of a part is a mean over so many fewer
_HALF = 0.5  # of a part's alpha: where the part is
POSITIONS: tuple[tuple[Position, ...], ...] = (
    ("top left", "top", "top right"),
    ("left", "centre", "right"),
    ("bottom left", "bottom", "bottom right"),
)


def position(place: NDArray[np.bool_]) -> Position:
    """Return where a mask (H, W) lies: along the rim, or in which ninth of the image its middle is."""
    if all(side.mean() > 0.5 for side in (place[0], place[-1], place[:, 0], place[:, -1])):
        return "rim"
    if place[[0, 0, -1, -1], [0, -1, 0, -1]].all():
        return "corners"
    row, column = (min(2, int(3 * at.mean() / side)) for at, side in zip(np.nonzero(place), place.shape, strict=True))
    return POSITIONS[row][column]


def estimate_mark(
    images: Tensor, heatmaps: NDArray[np.floating], found: Membership, mask: NDArray[np.bool_] | None
) -> tuple[Tensor, NDArray[np.bool_], FixedEvidence]:
    """Estimate the layer of what the members of a class have in common at a fixed place.

    Args:
        images: (n, 3, H, W) in [0, 1].
        heatmaps: (n, H, W).
        found: the members.
        mask: (H, W) bool, where the user says it lies, all of which is then kept.

    Returns:
        The RGBA layer (4, H, W), zero beyond the parts, where these are (H, W), and what is known of them.

    Raises:
        NothingIsolatedError: the images agree nowhere, or no part is relevant.
    """
    groups = statistics(images, found.members), statistics(images, ~found.members)
    if isinstance(found.discriminant, ColourFilter):
        change, places = _of_colours(found.discriminant, groups)
    else:
        change = contrast(found.carriers, found.rest)
        places = _places(change, found) if mask is None else [mask]
    rim = RIM if mask is None else 0
    layer = estimate_layer(*groups, change, places, rim)
    places = [place for place in places if _visible(layer[3].numpy()[place], found) and not _lacked(place, groups)]
    if not places:
        raise NothingIsolatedError(Failure("parts disagree"))
    relevance = mean_relevance(heatmaps, found.members)
    parts = [_part(layer, grown(place, rim), relevance, groups) for place in places]
    kept, faint = relevant_parts(parts) if mask is None else (parts, None)
    if not kept:
        raise NothingIsolatedError(Failure("irrelevant parts", {"parts": len(parts), "density": faint or 0.0}))
    place = np.any([part.mask for part in kept], axis=0)
    layer = layer * from_numpy(grown(place, rim))
    left = [part for part in parts if not any(part is other for other in kept)]
    others = tuple(LeftPart(position(part.mask), int(part.mask.sum()), part.density) for part in left)
    opacity = float(np.median(layer[3].numpy()[place]))
    share = float(place.mean())
    return layer, place, FixedEvidence(position(place), share, opacity, faint, others, found.settled)


def _of_colours(
    found: ColourFilter, groups: tuple[PixelStatistics, PixelStatistics]
) -> tuple[Tensor, list[NDArray[np.bool_]]]:
    """The change of the mean image, and its parts, where the colours that the members share are known."""
    sure = found.present > 0
    change = torch.from_numpy(groups[0].mean - groups[1].mean).float() * sure
    return change, regions(sure.numpy())


def _places(change: Tensor, found: Membership) -> list[NDArray[np.bool_]]:
    """Parts in which the mark surely lies; one all over the image leaves no ground that its contrast rises from."""
    places = regions(extent(change))
    if places or found.split.gap < _FAR_APART:
        return places
    strength = change.abs().amax(0).numpy()
    return regions(strength > float(split(strength.reshape(-1, 1), 1).threshold[0]))


def mean_relevance(heatmaps: NDArray[np.floating], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean positive relevance (H, W) of the members (n,), one map at a time; heatmaps: (n, H, W)."""
    total = np.zeros(heatmaps.shape[1:])
    for i in np.flatnonzero(members):
        total += np.maximum(heatmaps[i], 0)
    return total / max(1, members.sum())


def _visible(alpha: NDArray[np.floating], found: Membership) -> bool:
    """Whether the members agree there more than the others; a faint mark need not, where it parts them far enough."""
    level, samples = float(np.median(alpha)), max(1.0, len(alpha) / _PATCH)
    if found.split.gap >= _FAR_APART:
        return level > _VISIBLE
    return level > max(_VISIBLE, _SURE * ratio_noise(level, found.carriers.n, found.rest.n) / samples**0.5)


def _lacked(place: NDArray[np.bool_], groups: tuple[PixelStatistics, PixelStatistics]) -> bool:
    """Whether it is the others that agree there: then the members are those without the mark."""
    carriers, rest = groups
    own = 1 - np.sqrt(carriers.variance[place] / np.maximum(rest.variance[place], 1e-12))
    return float(np.median(own)) < -_SURE * ratio_noise(0.0, carriers.n, rest.n)


def _part(
    layer: Tensor,
    around: NDArray[np.bool_],
    relevance: NDArray[np.floating],
    groups: tuple[PixelStatistics, PixelStatistics],
) -> Part:
    color, alpha = layer[:3].double().numpy(), layer[3].double().numpy() * around
    mask = alpha > _HALF * _strength(alpha)
    level, carriers, rest = float(np.median(alpha[mask])), *groups
    error = (1 - level) * (float(rest.variance[mask].mean()) / 3 * (1 / carriers.n + 1 / rest.n)) ** 0.5
    return Part(mask, relevance_density(mask, relevance), level, np.median(color[:, mask], axis=1), error)


def _strength(alpha: NDArray[np.floating]) -> float:
    return float(np.quantile(alpha[alpha > 0], 0.9)) if alpha.any() else 0.0
