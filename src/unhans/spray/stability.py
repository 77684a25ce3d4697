"""How much of what SpRAy finds in classes depends on its settings: spectra, groups and the order of classes compared.

[003 § 6.3] reports the same clusters for grids of 5, 10 and 50 cells a side, [000 § 2.1] that more than 10 neighbours
hardly matter and fewer fracture the graph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata, spearmanr
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from unhans.spray.groups import jaccard, smallest_group
from unhans.spray.metrics import Advance
from unhans.spray.projection import MapQuality, map_quality
from unhans.spray.spectral import sweep_cut
from unhans.spray.spray import DECIMALS, RESTARTS, SpRAy

NUMBERS = range(2, 9)  # clusters whose labels are compared: the reference's eigengap chooses among them
VECTORS = 8  # eigenvectors along which the graph is cut
FEWEST = 3  # classes whose orders are compared
REFERENCE = "reference"
Layout = tuple[str, str]  # method and what is laid out, as in `projection` and `projection_of`
LAYOUTS: tuple[Layout, ...] = tuple((method, of) for method in ("tsne", "umap") for of in ("graph", "spectrum"))
SAME = 0.8  # Jaccard index from which the group of a class counts as the same
Measure = Literal["lambda_2", "tau", "cut"]
MEASURES: tuple[Measure, ...] = ("lambda_2", "tau", "cut")


@dataclass(frozen=True)
class ClassFit:
    """What SpRAy finds in the n samples of one class with one setting.

    Attributes:
        lambda_2, tau, eigengap: of its heatmaps [000].
        tau_clusters: the largest k that τ is averaged over.
        cut: the smallest normalised cut along the first eigenvectors, NaN where the graph has none.
        group: (n,) bool, the smaller side of that cut.
        labels: (7, n) clusters of k-means on the first k columns of D^-½Φ for k = 2 … 8; −1 where there is no such k.
    """

    lambda_2: float
    tau: float
    eigengap: int
    tau_clusters: int
    cut: float
    group: NDArray[np.bool_]
    labels: NDArray[np.int8]


@dataclass(frozen=True)
class Agreement:
    """What a class's fit with one setting has in common with that of the reference.

    Attributes:
        clusters: of k-means, whose labels are compared.
        ari: adjusted Rand index of these labels, NaN where one of the two has none.
        jaccard: of the groups, NaN where one of the two has none.
    """

    clusters: int
    ari: float
    jaccard: float


def fit_class(spray: SpRAy, heatmaps: ArrayLike, advance: Advance | None = None) -> ClassFit:
    """Fit a setting to the heatmaps (n, H, W) of a class.

    Raises:
        ValueError: they cannot be clustered with it.
    """
    fitted = _fitted(spray, heatmaps, advance)
    found = [sweep_cut(fitted.affinity_, vector, smallest_group(len(fitted.embedding_)))
             for vector in fitted.embedding_.T[int(fitted.eigenvalues_[1] > 0) :][:VECTORS]]  # fmt: skip
    cut, side = min(
        filter(None, found), key=lambda one: one[0], default=(math.nan, np.zeros(len(fitted.embedding_), bool))
    )
    return ClassFit(
        lambda_2=float(fitted.eigenvalues_[1]),
        tau=fitted.separability_,
        eigengap=fitted.eigengap_,
        tau_clusters=int(fitted.n_clusters_.max()),
        cut=cut,
        group=side if 2 * side.sum() <= len(side) else ~side,
        labels=_labels(fitted, _seed(spray)),
    )


def _fitted(spray: SpRAy, heatmaps: ArrayLike, advance: Advance | None = None) -> SpRAy:
    return clone(spray).set_params(projection=None, clusterings=()).fit(heatmaps, advance=advance)


def _seed(spray: SpRAy) -> int:
    return spray.random_state if isinstance(spray.random_state, int) else 0


def _cluster_count(eigengap: int) -> int:
    return int(np.clip(eigengap, NUMBERS[0], NUMBERS[-1]))


@dataclass(frozen=True)
class ClassMaps:
    """The samples of a class in the plane, by both methods, of the graph and of its spectral embedding.

    Attributes:
        labels: (n,) clusters of k-means on the first k columns of D^-½Φ, k of the eigengap within 2 … 8.
        points: by method and what is laid out (n, 2) each.
    """

    labels: NDArray[np.integer]
    points: Mapping[Layout, NDArray[np.float64]]

    @cached_property
    def quality(self) -> dict[Layout, MapQuality]:
        """How the clusters lie in each map; they come from Φ, so that maps of Φ have an advantage."""
        return {layout: map_quality(points, self.labels) for layout, points in self.points.items()}


def map_class(spray: SpRAy, heatmaps: ArrayLike) -> ClassMaps:
    """Lay out the heatmaps (n, H, W) of a class by t-SNE and UMAP, of A and of Φ, with the settings of the estimator.

    Raises:
        ValueError: they cannot be clustered with it, or fall into no clusters.
    """
    fitted = _fitted(spray, heatmaps)
    k = _cluster_count(fitted.eigengap_)
    labels = spectral_labels(fitted, k, _seed(spray))
    if labels is None:
        raise ValueError(f"maps are compared by their clusters, but Φ has no {k} clusters")
    points = {}
    for method, of in LAYOUTS:
        fitted.set_params(projection_of=of).add_projection(method)
        points[method, of] = fitted.projection_
    return ClassMaps(labels, points)


def _labels(fitted: SpRAy, seed: int) -> NDArray[np.int8]:
    """Cluster the first k columns of D^-½Φ into each number of clusters [Shi & Malik 2000]."""
    found = np.full((len(NUMBERS), len(fitted.embedding_)), -1, dtype=np.int8)
    for row, k in zip(found, NUMBERS, strict=True):
        labels = spectral_labels(fitted, k, seed)
        row[:] = -1 if labels is None else labels
    return found


def spectral_labels(fitted: SpRAy, k: int, seed: int = 0) -> NDArray[np.integer] | None:
    """Return the clusters (n,) of k-means on the first k columns of D^-½Φ [Shi & Malik 2000], as many as pieces too.

    None where there are fewer columns than k, or fewer different rows.
    """
    degree = np.asarray(fitted.affinity_.sum(axis=1)).ravel()
    rows = (fitted.embedding_ / np.sqrt(degree)[:, None]).round(DECIMALS)[:, :k]
    if rows.shape[1] < k or len(np.unique(rows, axis=0)) < k:
        return None
    with threadpool_limits(1):
        return KMeans(k, n_init=RESTARTS, random_state=seed).fit(rows).labels_


def agreement(reference: ClassFit, other: ClassFit) -> Agreement:
    """Compare the groups of a class with two settings; the number of clusters is that of the reference's eigengap."""
    k = _cluster_count(reference.eigengap)
    left, right = (one.labels[k - NUMBERS[0]] for one in (reference, other))
    known = left.min() >= 0 and right.min() >= 0
    cut = not (math.isnan(reference.cut) or math.isnan(other.cut))
    first, second = reference.group, other.group
    return Agreement(
        k,
        float(adjusted_rand_score(left, right)) if known else math.nan,
        max(jaccard(first, second), jaccard(first, ~second)) if cut else math.nan,
    )


def places(fits: Mapping[int, ClassFit], measure: Measure) -> dict[int, int]:
    """Return the place of each class, 1 for the one that stands apart most: λ₂ and cuts ascend, τ descends.

    Ties share the better place; a class without a cut comes last.
    """
    sign = -1 if measure == "tau" else 1
    values = np.nan_to_num([sign * getattr(fit, measure) for fit in fits.values()], nan=np.inf)
    return dict(zip(fits, rankdata(values, method="min").astype(int).tolist(), strict=True))


def order_agreement(reference: Mapping[int, ClassFit], other: Mapping[int, ClassFit], measure: Measure) -> float:
    """Return Spearman's ρ of two orders of the classes that both have; NaN for fewer than three, or if all tie."""
    common = [label for label in reference if label in other]
    if len(common) < FEWEST:
        return math.nan
    left, right = (
        list(places({label: one[label] for label in common}, measure).values()) for one in (reference, other)
    )
    if len(set(left)) == 1 or len(set(right)) == 1:
        return math.nan
    return float(spearmanr(left, right).statistic)


@dataclass(frozen=True)
class Holding:
    """Over which settings the finding of one class holds.

    Attributes:
        label: of the class.
        place: with the reference.
        kept, lost, unknown: names of settings with which it stays among the first classes and has the same group; with
            which one of both is not so; and with which it could not be clustered.
        moved, other_group: of those lost, where it is no longer among the first, and where its group is another.
    """

    label: int
    place: int
    kept: tuple[str, ...]
    lost: tuple[str, ...]
    unknown: tuple[str, ...]
    moved: tuple[str, ...]
    other_group: tuple[str, ...]


def holding(
    fits: Mapping[str, Mapping[int, ClassFit]], reference: str, label: int, first: int, measure: Measure
) -> Holding:
    """Tell over which settings the finding of a class holds: it is among the first classes, and its group the same.

    The same is a Jaccard index of at least 0.8 with the reference's group; the order is that of one measure, among the
    classes that could be clustered with the setting.

    Args:
        fits: by setting and by label.
        reference: the setting that the others are held against.
        label: of a class that it has.
        first: how many classes count as the first.
        measure: that orders them.
    """
    own = fits[reference][label]
    told: dict[str, list[str]] = {"kept": [], "lost": [], "unknown": [], "moved": [], "other_group": []}
    for name, by_class in fits.items():
        if name == reference:
            continue
        if label not in by_class:
            told["unknown"].append(name)
            continue
        stays = places(by_class, measure)[label] <= first
        same = agreement(own, by_class[label]).jaccard >= SAME
        told["kept" if stays and same else "lost"].append(name)
        told["moved"] += [] if stays else [name]
        told["other_group"] += [] if same else [name]
    place = places(fits[reference], measure)[label]
    return Holding(label, place, **{name: tuple(names) for name, names in told.items()})


def variants(spray: SpRAy, vary: Mapping[str, Sequence[object]]) -> dict[str, SpRAy]:
    """Return the setting itself, and one for each other value of each parameter, one at a time, by name.

    Raises:
        ValueError: a parameter is unknown or does not matter to the groups, or SpRAy does not take a value.
    """
    given = spray.get_params(deep=False)
    known = sorted(name for name in given if not name.startswith(("projection", "umap", "tsne", "clusterings")))
    found = {REFERENCE: spray}
    for name, values in vary.items():
        if name not in known:
            raise ValueError(
                f"vary expects parameters of SpRAy that change its groups ({', '.join(known)}), got {name}"
            )
        for value in values:
            if value != given[name]:
                found[f"{name}={value}".replace("None", "null")] = changed = clone(spray).set_params(**{name: value})
                changed.check_parameters()
    if len(found) == 1:
        raise ValueError("vary holds no value that the setting does not have already")
    return found


@dataclass(frozen=True)
class SettingAgreement:
    """What a setting finds, held against the reference.

    Attributes:
        name: of the setting.
        orders: by measure, Spearman's ρ of the order of the classes with the reference's.
        classes: by label, of those that could be clustered with both.
        lambda_2, tau: by label, by that of the reference; NaN where it is zero.
    """

    name: str
    orders: Mapping[Measure, float]
    classes: Mapping[int, Agreement]
    lambda_2: Mapping[int, float]
    tau: Mapping[int, float]


def compare_settings(fits: Mapping[str, Mapping[int, ClassFit]]) -> list[SettingAgreement]:
    """Hold every setting but the reference against it; fits: by setting and label."""
    reference, found = fits[REFERENCE], []
    for name, by_class in fits.items():
        if name == REFERENCE:
            continue
        common = {label: (reference[label], fit) for label, fit in by_class.items() if label in reference}
        found.append(
            SettingAgreement(
                name,
                {measure: order_agreement(reference, by_class, measure) for measure in MEASURES},
                {label: agreement(*pair) for label, pair in common.items()},
                {label: _ratio(one.lambda_2, own.lambda_2) for label, (own, one) in common.items()},
                {label: _ratio(one.tau, own.tau) for label, (own, one) in common.items()},
            )
        )
    return found


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference else math.nan
