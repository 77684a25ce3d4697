"""Transforms of whole images from those that carry an artifact and others without it, none of them in both states.

Every estimate takes images (n, 3, H, W) in [0, 1] and the probability of each to carry the artifact, (n,).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from torch import Tensor

from unhans.artifacts import HIGHEST, KNOTS, ChannelMap, Field, Jpeg, Spectrum
from unhans.isolation.fixed import block_size
from unhans.isolation.whole.image_statistics import LEVELS, LOW, Numbers, histograms, radial_power, statistics_of

_DRAWS = 40  # of samples, to see how far an estimate varies
_RANKS = np.linspace(0.01, 0.99, 99)  # of pixels, that are matched
_DEGREE = 4  # of the polynomials that a curve's distance from the diagonal is made of
_STEEP = 3.0  # slope beyond the values that were seen
_FLOOR = 0.02  # grey value, and standard deviation, below which a ratio says nothing
_SURE, _SURER = 3.0, 5.0  # standard errors of a field's coefficients, of few and of all frequencies
_QUALITIES = (5, 12, 25, 45, 65, 85)
_ENCODED = 24  # images that qualities are tried on
_COARSE = 0.2  # cycles per pixel below which detail is coarse


def estimate_channel_map(images: Tensor, weights: Numbers, seed: int = 0) -> ChannelMap:
    """Match the quantiles of all pixels of both groups, channel by channel.

    The distance of the curves from the diagonal is a polynomial. What of its coefficients, along the axes in which they
    vary from sample to sample, is no larger than by chance is left out (positive-part shrinkage).
    """
    counts = histograms(images)
    observed, seen = _distance(counts, weights)
    drawn = [_distance(counts, weights, chosen)[0] for chosen in resamples(weights, seed)]
    coefficients = shrunk(observed, np.stack(drawn))
    return ChannelMap(torch.from_numpy(np.stack([_curve(*each) for each in zip(coefficients, seen, strict=True)])))


def estimate_field(images: Tensor, weights: Numbers, seed: int = 0) -> Field:
    """Compare mean and standard deviation of every pixel; keep cosine coefficients that are larger than by chance.

    How large they are by chance is seen by dealing the weights to the images anew. Where both ratios agree the field is
    a gain alone, and else it has an offset.
    """
    rng = np.random.default_rng([seed, len(images), 3])
    deals = np.stack([weights, *(rng.permutation(weights) for _ in range(_DRAWS))])
    mean, spread, means = _maps(images, deals)
    apart = _denoised(spread - mean, only_sure=True)
    if not apart.any():
        noise = [np.maximum(part[1:].std(0), 1e-9) for part in (mean, spread)]
        both = (mean / noise[0] ** 2 + spread / noise[1] ** 2) / (noise[0] ** -2 + noise[1] ** -2)
        gain = np.exp(_back(_denoised(both)))
        return Field(_tensor(gain), torch.zeros(gain.shape))
    gain = np.exp(_back(_denoised(spread)))
    inside, outside = means
    offset = inside - np.where(np.arange(len(inside))[:, None, None, None] == 0, gain, 1.0) * outside
    return Field(_tensor(gain), _tensor(_back(_denoised(_cosines(offset)))))


def estimate_spectrum(images: Tensor, weights: Numbers, seed: int = 0) -> Spectrum:
    """Compare the mean log-power of both groups in bands of frequency; a whole image's contrast stays as it is.

    More power is noise where it is added to all images alike, rather than in proportion to what each has there.
    """
    parts = [radial_power(part) for part in images.float().split(block_size(images))]
    power, centres = np.concatenate([part for part, _ in parts])[:, :, 1:], parts[0][1][1:]
    logarithms = np.log(power + 1e-10)
    observed = _ratio(logarithms, centres, weights)
    drawn = np.stack([_ratio(logarithms, centres, weights, chosen) for chosen in resamples(weights, seed)])
    certain = np.maximum(0, 1 - drawn.var(0) / np.maximum(observed**2, 1e-12))
    gain = np.exp(observed * certain / 2)
    added = _added(power, weights > 0.5)
    gain, noise = (gain, np.zeros_like(gain)) if added is None else (np.ones_like(gain), added)
    clean = np.sqrt(np.average(power, axis=0, weights=1 - weights + 1e-9))
    return Spectrum(
        *(_tensor(_over(centres, part, first)) for part, first in ((gain, 1.0), (noise, 0.0), (clean, None)))
    )


def estimate_jpeg(images: Tensor, weights: Numbers, seed: int = 0) -> Jpeg | None:
    """Find the quality at which others, encoded, are most like the carriers; None where no quality makes them so."""
    chosen = np.argsort(weights + np.random.default_rng([seed, 4]).random(len(weights)) * 1e-6)[:_ENCODED]
    others = images[torch.from_numpy(chosen[weights[chosen] < 0.5])]
    numbers = _texture(images)
    wanted, plain = (np.average(numbers, axis=0, weights=part + 1e-9) for part in (weights, 1 - weights))
    spread = np.sqrt(np.average((numbers - plain) ** 2, axis=0, weights=1 - weights + 1e-9)) + 0.05

    def distance(encoded: Numbers) -> float:
        return float((((encoded.mean(0) - wanted) / spread) ** 2).mean())

    found = {quality: distance(_texture(Jpeg(quality).apply(others))) for quality in _QUALITIES}
    best = min(found, key=found.__getitem__)
    near = {q for factor in (0.65, 0.8, 1.25, 1.5) if (q := round(best * factor)) <= 95} - set(found)
    found |= {quality: distance(_texture(Jpeg(quality).apply(others))) for quality in near}
    best = min(found, key=found.__getitem__)
    return Jpeg(best) if found[best] < distance(_texture(others)) else None


def resamples(weights: Numbers, seed: int) -> list[Numbers]:
    """Return how often each sample is drawn with replacement; carriers and others as many as there are."""
    rng = np.random.default_rng([seed, len(weights), 5])
    groups = [np.flatnonzero(group) for group in (weights > 0.5, weights <= 0.5) if group.any()]
    drawn = (np.concatenate([rng.choice(group, len(group)) for group in groups]) for _ in range(_DRAWS))
    return [np.bincount(chosen, minlength=len(weights)).astype(float) for chosen in drawn]


def _distance(
    counts: Numbers, weights: Numbers, chosen: Numbers | float = 1.0
) -> tuple[Numbers, list[tuple[float, float]]]:
    """Coefficients (3, D) of each channel's distance from the diagonal, and the values between which it was seen."""
    groups = ((part * chosen + 1e-9) @ counts.reshape(len(counts), -1) for part in (weights, 1 - weights))
    after, before = (_quantiles(group.reshape(3, LEVELS)) for group in groups)
    found = [_fit(x, y - x) for x, y in zip(before, after, strict=True)]
    return np.stack(found), [(float(x[0]), float(x[-1])) for x in before]


def _quantiles(counts: Numbers) -> Numbers:
    """Quantiles (3, Q) of histograms (3, 256) whose pixels lie anywhere in their bins."""
    shares = np.cumsum(counts, 1) / counts.sum(1, keepdims=True)
    edges = (np.arange(LEVELS) + 0.5) / (LEVELS - 1)
    return np.stack([np.interp(_RANKS, np.append(0, own), np.append(0, edges)).clip(0, 1) for own in shares])


def _fit(values: Numbers, distance: Numbers) -> Numbers:
    basis = legendre.legvander(2 * values - 1, _DEGREE)
    ridge = 1e-3 * len(values) * np.diag(np.arange(_DEGREE + 1) / _DEGREE)
    return np.linalg.solve(basis.T @ basis + ridge, basis.T @ distance)


def shrunk(observed: Numbers, drawn: Numbers) -> Numbers:
    """Return coefficients, each axis of their covariance (drawn: (B, …)) times (1 − variance / square), 0 at least."""
    variances, axes = np.linalg.eigh(np.cov(drawn.reshape(len(drawn), -1).T))
    along = axes.T @ observed.ravel()
    along *= np.maximum(0, 1 - np.maximum(variances, 0) / np.maximum(along**2, 1e-12))
    return (axes @ along).reshape(observed.shape)


def _curve(coefficients: Numbers, seen: tuple[float, float]) -> NDArray[np.float32]:
    """A rising curve at the knots; beyond the values seen it goes on straight."""
    knots = np.linspace(0, 1, KNOTS)
    inside = knots.clip(*seen)
    slope = 1 + 2 * legendre.legval(2 * inside - 1, legendre.legder(coefficients))
    values = inside + legendre.legval(2 * inside - 1, coefficients) + slope.clip(0, _STEEP) * (knots - inside)
    return np.maximum.accumulate(values.clip(0, 1)).astype(np.float32)


def _maps(images: Tensor, deals: Numbers) -> tuple[Numbers, Numbers, tuple[Numbers, Numbers]]:
    """Cosine transforms of the log-ratios of means and of standard deviations, and the means: (deals, 3, H, W) each."""
    shares = [deals + 1e-9, 1 - deals + 1e-9]
    flat, size = images.float().flatten(1).numpy(), (len(deals), *images.shape[1:])
    shares = [(share / share.sum(1, keepdims=True)).astype(np.float32) for share in shares]
    means = [share @ flat for share in shares]
    squares = [share @ flat**2 for share in shares]
    spreads = [np.sqrt(np.maximum(square - mean**2, 0)) for square, mean in zip(squares, means, strict=True)]
    ratios = [np.log((both[0] + _FLOOR) / (both[1] + _FLOOR)).reshape(size) for both in (means, spreads)]
    return _cosines(ratios[0]), _cosines(ratios[1]), (means[0].reshape(size), means[1].reshape(size))


def _cosines(maps: Numbers) -> Numbers:
    return dctn(np.asarray(maps, dtype=np.float64), axes=(-2, -1), norm="ortho")


def _back(coefficients: Numbers) -> Numbers:
    return idctn(coefficients, axes=(-2, -1), norm="ortho")


def _denoised(cosines: Numbers, only_sure: bool = False) -> Numbers:
    """The first of the coefficients (deals, 3, H, W) where it exceeds what the others vary by; 0 elsewhere."""
    observed, noise = cosines[0], np.sqrt((cosines[1:] ** 2).mean(0)) + 1e-9
    few = np.zeros(observed.shape, dtype=bool)
    few[:, :LOW, :LOW] = few[:, :, 0] = few[:, 0, :] = True
    sure = np.abs(observed) > np.where(few & (not only_sure), _SURE, _SURER) * noise
    if not only_sure:
        sure[:, 0, 0] = True
    return np.where(sure, observed * np.maximum(0, 1 - (noise / np.where(observed, observed, 1e-9)) ** 2), 0.0)


def _ratio(logarithms: Numbers, centres: Numbers, weights: Numbers, chosen: Numbers | float = 1.0) -> Numbers:
    """Log-ratio of the power (3, B) of carriers and others; the line through its coarse bands starts at 0.

    What is left at frequency 0 is the contrast of the whole image: it differs by chance, or a curve explains it.
    """
    parts = weights * chosen, (1 - weights) * chosen
    inside, outside = (np.tensordot(part / part.sum(), logarithms, 1) for part in parts)
    ratio = inside - outside
    coarse = max(3, int((centres < _COARSE).sum()))
    _, level = np.polyfit(centres[:coarse], ratio[:, :coarse].mean(0), 1)
    padded = np.pad(ratio - level, ((0, 0), (1, 1)), mode="edge")
    return (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4


def _added(power: Numbers, carriers: NDArray[np.bool_]) -> Numbers | None:
    """Root of the power (3, B) added to every image; None where a gain tells the fine bands better."""
    ranks = np.linspace(0.1, 0.9, 9)
    inside, outside = (np.quantile(power[group], ranks, axis=0) + 1e-10 for group in (carriers, ~carriers))
    fine = slice(power.shape[2] // 2, None)
    step = np.log(inside) - np.log(outside)
    added = np.maximum(np.median(inside - outside, axis=0), 0)
    left = np.log(inside) - np.log(outside + added)
    spread = ((step - step.mean(0)) ** 2)[..., fine].sum(), (left**2)[..., fine].sum()
    if step[..., fine].mean() <= 0 or spread[1] >= spread[0]:
        return None
    return np.sqrt(added)


def _over(centres: Numbers, values: Numbers, first: float | None) -> Numbers:
    """Values (3, B) of bands at evenly spaced frequencies; first: that of the mean, None for the first band's."""
    knots = np.linspace(0, HIGHEST, KNOTS)
    where = np.log(np.maximum(knots, centres[0] / 2))
    known = np.log(np.append(centres[0] / 2, centres))
    return np.stack([np.interp(where, known, np.append(own[0] if first is None else first, own)) for own in values])


def _texture(images: Tensor) -> Numbers:
    return np.concatenate([statistics_of("seams", images), statistics_of("frequencies", images)], axis=1)


def _tensor(values: Numbers) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float()
