"""Which class is suspicious: λ₂ and τ against what heatmaps without clusters would give."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from unhans.spray.cloud import surrogates
from unhans.spray.estimator import SpRAy
from unhans.spray.finding import ClassAudit
from unhans.spray.metric import Euclidean

SURROGATES = 5  # the median of five varies by about 5 %
EVERY_KTH = 7  # of the clusterings enter the comparison of τ: its surrogates cost a seventh, its mean is about the same
WEIGHT_OF_TAU = 0.5  # λ₂ tells planted classes from clean ones, τ alone does not
LEAST = 1e-6  # λ₂ below it is a graph in pieces: then τ decides
THRESHOLD = 1.3  # learned artifacts score 1.4 and more; the clean digit 1, whose raw images fall apart, up to 1.34
APART = 0.1  # normalised cut: learned artifacts have .02 or less, the cut of clean classes .12 to .46


@dataclass(frozen=True)
class Suspicion:
    """How suspicious one class is.

    n: samples; tau, lambda_2, eigengap: of its heatmaps; score: see `judge`; cluster_size: samples in the striking
    cluster, 0 without one; control_lambda_2, control_tau: of its raw images.
    """

    label: int
    name: str
    n: int
    tau: float
    lambda_2: float
    eigengap: int
    score: float
    suspicious: bool
    cluster_size: int
    control_lambda_2: float | None
    control_tau: float | None

    def numbers(self) -> dict[str, float]:
        """Return what a logger can plot, by name; the control only if there is one."""
        values = {key: value for key, value in asdict(self).items() if key not in ("label", "name")}
        return {key: float(value) for key, value in values.items() if value is not None}


def judge(audit: ClassAudit) -> Suspicion:
    """Judge one class by itself, so that the rule works with two classes, or one.

    λ₂ and τ are compared with λ₂⁰ and τ⁰, their medians over surrogates: as many points from a normal distribution that
    varies like the heatmaps of this class, but has no clusters (`unhans.spray.cloud`). So a class whose heatmaps merely
    vary a lot in one way, which makes λ₂ small as well, is not mistaken for one with clusters. The score is

        log₁₀[(λ₂⁰ / λ₂) · √(τ / τ⁰)]

    near 0 for a class without clusters. From 1.3 on, a factor of twenty, the class is suspicious if its striking
    cluster stands apart, with a normalised cut below 0.1. Without that a large τ alone would do, which a few equal
    heatmaps cause, or a piece of the graph that is too small to be a cluster, whose λ₂ is zero. The control is no
    part of the rule: where it is as small as λ₂ the cluster is in the data, and only an effect test can tell whether
    the network uses it (METHODS §2).
    """
    spray, control = audit.spray, audit.control
    score = suspicion_score(spray)
    return Suspicion(
        label=audit.label,
        name=audit.name,
        n=len(audit.heatmaps),
        tau=spray.separability_,
        lambda_2=float(spray.eigenvalues_[1]),
        eigengap=spray.eigengap_,
        score=score,
        suspicious=score >= THRESHOLD and audit.cluster is not None and audit.cluster.normalised_cut < APART,
        cluster_size=0 if audit.cluster is None else int(audit.cluster.members.sum()),
        control_lambda_2=None if control is None else float(control.eigenvalues_[1]),
        control_tau=None if control is None else control.separability_,
    )


def ranked(suspicions: Iterable[Suspicion]) -> list[Suspicion]:
    """Return the classes with the most suspicious first."""
    return sorted(suspicions, key=lambda entry: (not entry.suspicious, -entry.score))


def rank(audits: Sequence[ClassAudit]) -> list[Suspicion]:
    """Judge classes and return them with the most suspicious first."""
    return ranked(judge(audit) for audit in audits)


def suspicion_score(spray: SpRAy) -> float:
    """Return the score of `judge` for a fitted estimator."""
    null = SpRAy(
        metric=_WithoutCloud(),
        n_neighbors=spray.n_neighbors,
        n_eigenvalues=spray.n_eigenvalues,
        n_clusters=spray.n_clusters_[::EVERY_KTH],
        projection=None,
    )
    points = surrogates(spray.variances_, len(spray.embedding_), SURROGATES)
    fits = [clone(null).fit(maps) for maps in points]
    lambda_2, tau = np.median([(fit.eigenvalues_[1], fit.separability_) for fit in fits], axis=0)
    apart = math.log10(max(lambda_2, LEAST) / max(spray.eigenvalues_[1], LEAST))
    return apart + WEIGHT_OF_TAU * math.log10(spray.separability_per_k_[::EVERY_KTH].mean() / tau)


@dataclass(frozen=True)
class _WithoutCloud(Euclidean):
    """Surrogates are compared with nothing, so that their own variances are not needed."""

    def coordinates(self, maps: NDArray[np.floating]) -> NDArray[np.floating]:
        return maps[:, :0]
