"""In which order classes are tested: how far their groups stand apart, against all classes and by all views.

Order is all that this decides. Whether a class is recognised by an artifact is found out by isolating what a group
shares and measuring what it does (`unhans.effects.artifact_test`), for suspicious classes and for the others.

How confidently a group is recognised is not used: groups of clean classes differ from the rest of their class in it as
much as carriers of artifacts do (tests/benchmarks/RESULTS.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, t

from unhans.spray.results import ClassAudit

PRIOR = 10  # classes that the usual spread counts as
BETWEEN = 1.0  # variance of the centre between data sets, by that of the classes of one: digits differ from photographs
COMMON, UNUSUAL = 5, 3.0  # classes, and deviations of their median beyond which a statistic tells of the data set
MEDIAN = math.pi / 2  # variance of a median by that of a mean
FREEDOM = 8  # degrees of Student's t: strengths of clean classes have heavier tails than a normal distribution
RATE = 0.05  # of false discoveries among the suspicious classes
FAINTEST = 300.0  # a score is never larger: probabilities below 1e-300 are zero

# Mean and deviation of the strongest group's strength in classes without an artifact, by the beginning of the view's
# name: photographs of 32 pixels and the kinds of artifacts in the setting half of tests/benchmarks/truth.py.
USUAL: Mapping[str, tuple[float, float]] = {
    "input relevance": (0.55, 0.12),
    "relevance shares": (0.56, 0.1),
    "coarse shares": (0.56, 0.1),
    "latent sum": (0.7, 0.2),
    "latent maximum": (0.66, 0.15),
    "raw images": (0.74, 0.12),
    "image pattern": (2.7, 0.5),
    "image colours": (5.5, 1.3),
    "image statistics": (0.32, 0.12),
}
OTHER = (0.6, 0.2)


@dataclass(frozen=True)
class Suspicion:
    """How far the groups of one class stand apart.

    Attributes:
        label, name: of the class.
        n: samples.
        tau, lambda_2, eigengap: of its heatmaps [000].
        score: −log₁₀ of the probability that a class without an artifact has a group that stands apart as far, by
            all views; NaN before all classes are known (`rank_classes`).
        suspicious: whether it is among the classes that stand out at a false-discovery rate of 5 %; nothing depends
            on it but the order.
        cluster_size: samples in the group that stands apart most, 0 without one.
        control_lambda_2, control_tau: of its raw images, None where they were not analysed.
        strengths: by view, how far its strongest group stands apart (`unhans.spray.groups.view_groups.Group.strength`).
        tau_clusters: the largest k that τ is averaged over, 0 where it is not known: small classes allow fewer, and τ
            of classes with different k do not compare.
        exact_neighbours: whether the graph has the nearest neighbours, not those that a search by descent found.
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
    strengths: Mapping[str, float] = field(default_factory=dict)
    tau_clusters: int = 0
    exact_neighbours: bool = True

    def numbers(self) -> dict[str, float]:
        """Return what a logger can plot, by name; the control only if there is one."""
        left_out = ("label", "name", "strengths", "tau_clusters", "exact_neighbours")
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in left_out}
        return {key: float(value) for key, value in values.items() if value is not None}


def suspicion_of(audit: ClassAudit) -> Suspicion:
    """Return what is known of one class by itself, scored as if it were the only one; see `rank_classes`."""
    spray, control = audit.spray, audit.control
    alone = Suspicion(
        label=audit.label,
        name=audit.name,
        n=len(audit.heatmaps),
        tau=spray.separability_,
        lambda_2=float(spray.eigenvalues_[1]),
        eigengap=spray.eigengap_,
        score=math.nan,
        suspicious=False,
        cluster_size=0 if audit.cluster is None else int(audit.cluster.members.sum()),
        control_lambda_2=None if control is None else float(control.eigenvalues_[1]),
        control_tau=None if control is None else control.separability_,
        strengths=strengths_of(audit),
        tau_clusters=int(max(spray.n_clusters_)),
        exact_neighbours=getattr(spray, "exact_neighbours_", True),  # files of earlier versions do not say
    )
    return rank_classes([alone])[0]


def strengths_of(audit: ClassAudit) -> dict[str, float]:
    """Return the strength of the strongest group of each view."""
    found: dict[str, float] = {}
    for cluster in audit.candidates:
        found[cluster.view] = max(cluster.strength, found.get(cluster.view, -math.inf))
    return found


def rank_classes(suspicions: Iterable[Suspicion]) -> list[Suspicion]:
    """Return the classes scored against each other, the one whose groups stand apart most first.

    A class's strength in a view is compared with the median and the median absolute deviation of the other classes,
    together with what is usual in clean classes: the usual centre counts as a normal prior that varies between data
    sets as much as classes do within one, the usual spread as ten further classes. The class itself is left out: of
    two, one would otherwise hide behind its own deviation. Each strength becomes a one-sided p-value of Student's t
    with 8 degrees of freedom; a class has the smallest of its views times their number (Bonferroni). Suspicious are the
    classes found at a false-discovery rate of 5 % (Benjamini-Hochberg).
    """
    entries = list(suspicions)
    if not entries:
        return []
    strengths = _by_view(entries)
    chances = [
        _chance(entry, {view: _beside(view, strengths[view], i) for view in entry.strengths if view in strengths})
        for i, entry in enumerate(entries)
    ]
    found = false_discovery_control(chances) <= RATE
    scored = [
        replace(entry, score=min(FAINTEST, -math.log10(max(p, 1e-300)) + 0.0), suspicious=bool(yes))
        for entry, p, yes in zip(entries, chances, found, strict=True)
    ]
    return sorted(scored, key=lambda entry: -entry.score)


def surprise(view: str, strength: float) -> float:
    """Return by how many deviations a strength exceeds what is usual in clean classes, to order the groups of one."""
    centre, spread = usual(view)
    return (strength - centre) / spread


def usual(view: str) -> tuple[float, float]:
    """Return mean and deviation of a view's strengths in clean classes."""
    return next((known for start, known in USUAL.items() if view.startswith(start)), OTHER)


def _by_view(entries: Sequence[Suspicion]) -> dict[str, NDArray[np.float64]]:
    """The strengths of all classes (n,) by view, NaN where a class has none.

    Statistics of images that fall in two in most classes, as the ink of centred drawings does, are left out: they tell
    of the data set and not of a class. Their groups are tested like all others.
    """
    found = {}
    for view in sorted({view for entry in entries for view in entry.strengths}):
        strengths = np.array([entry.strengths.get(view, math.nan) for entry in entries])
        known, (centre, spread) = strengths[~np.isnan(strengths)], usual(view)
        common = len(known) >= COMMON and np.median(known) > centre + UNUSUAL * spread
        if not (common and view.startswith("image statistics")):
            found[view] = strengths
    return found


def _beside(view: str, strengths: NDArray[np.float64], own: int) -> tuple[float, float]:
    """Centre and spread of a view, from the classes beside one's own and what is usual."""
    centre, spread = usual(view)
    others = np.delete(strengths, own)
    values = others[~np.isnan(others)]
    if not len(values):
        return centre, spread * math.sqrt(1 + BETWEEN)
    median = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - median)))
    weight = len(values) / (len(values) + PRIOR)
    within = weight * deviation**2 + (1 - weight) * spread**2
    unknown = 1 / (1 / BETWEEN + len(values) / MEDIAN)  # variance of the centre, which is an estimate, by that within
    share = unknown * len(values) / MEDIAN
    return share * median + (1 - share) * centre, math.sqrt(within * (1 + unknown))


def _chance(entry: Suspicion, tables: Mapping[str, tuple[float, float]]) -> float:
    """The probability that a clean class has a group that stands apart as far by any of its views."""
    z = [(entry.strengths[view] - centre) / spread for view, (centre, spread) in tables.items()]
    if not z:
        return 1.0
    return float(min(1.0, len(z) * t.sf(max(z), FREEDOM)))
