"""Candidates of other methods, for the same networks: class-wise neural PCA, PCX-like mixtures, SpRAy as published.

Each gives every class a score, by which classes are ranked, and groups of samples that may share an artifact, the first
of which is compared. They propose only; nothing is isolated or pasted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.utils.data import Dataset

from unhans.attribution import sum_channels
from unhans.data import draw_per_class, labels_of, read_samples
from unhans.lrp import LRP
from unhans.spray import SpRAy

SAMPLES = 300  # of a class, as many as the audit takes
FEWEST = 2  # samples of a group
COMPONENTS = 10  # principal components whose top samples are candidates
DEVIATIONS = 2.0  # α above which a sample belongs to a component, in standard deviations
FIXED = 20  # samples where fewer are above
MIXED = range(1, 7)  # Gaussians
AXES = 10  # of the latent vectors that are mixed: a full covariance of more would need more samples
FEATURES = {"SmallCNN": "features.2", "SqueezeNet": "features.12"}  # the last feature layer

Members = NDArray[np.bool_]


@dataclass(frozen=True)
class Views:
    """What methods see of one class: heatmaps (n, H, W), latent relevance (n, c), ψ = w_k ⊙ φ (n, d)."""

    heatmaps: NDArray[np.floating]
    latent: NDArray[np.floating]
    weighted: NDArray[np.floating]


@dataclass(frozen=True)
class Proposal:
    """What one method says of one class: how suspicious it is, and groups of samples (n,), the first one first."""

    score: float
    candidates: tuple[Members, ...]


@dataclass(frozen=True)
class Proposed:
    """The proposals of every class, by label, and the audited samples of each."""

    index: dict[int, NDArray[np.int64]]
    proposals: dict[int, Proposal]

    def position(self, label: int) -> int:
        """Return the rank of a class, from 1; of classes that are equal, the last."""
        return sum(each.score >= self.proposals[label].score for each in self.proposals.values())


def neural_pca(views: Views) -> Proposal:
    """Class-wise neural PCA [Neuhaus et al. 2023]: the samples on which one principal component adds most to the logit.

    α_l(x) = ⟨1, v_l⟩ ⟨v_l, ψ(x) − ψ̄⟩. A component's candidate are the samples more than two standard deviations up,
    or the top twenty where these are fewer; components, and classes, are ordered by its mean α.
    """
    centred = views.weighted - views.weighted.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    alpha = (centred @ axes[:COMPONENTS].T) * axes[:COMPONENTS].sum(1)
    found = [(float(column[members].mean()), members) for column in alpha.T if (members := _top(column)).any()]
    found.sort(key=lambda each: -each[0])
    return Proposal(found[0][0], tuple(members for _, members in found))


def prototypes(views: Views) -> Proposal:
    """Prototypes of PCX [Dreyer et al. 2024]: Gaussians on latent relevance vectors, their number by BIC.

    Vectors are divided by their absolute sum and reduced to ten axes. Components are ordered from the tightest; the
    class by how much its BIC improves on one Gaussian, per sample.
    """
    shares = views.latent / np.maximum(np.abs(views.latent).sum(1, keepdims=True), 1e-12)
    axes = min(AXES, len(shares) // 10)
    points = PCA(axes, random_state=0).fit_transform(shares)
    points /= max(float(points.std()), 1e-12)
    fits = [GaussianMixture(k, reg_covar=1e-3, random_state=0).fit(points) for k in MIXED]
    criteria = [fit.bic(points) for fit in fits]
    best = fits[int(np.argmin(criteria))]
    labels = best.predict(points)
    order = np.argsort([np.linalg.slogdet(covariance)[1] for covariance in best.covariances_])
    groups = tuple(labels == k for k in order if np.sum(labels == k) >= FEWEST)
    return Proposal(float(criteria[0] - min(criteria)) / len(points), groups)


def published_spray(views: Views) -> Proposal:
    """SpRAy as in [000]: classes by τ; the smaller side of Φ's second column, then k-means on Φ at the eigengap."""
    spray = SpRAy(pooling=28, projection=None).fit(views.heatmaps)
    place = int(np.argmin(np.abs(np.asarray(spray.n_clusters_) - spray.eigengap_)))
    labels = spray.labels_[place]
    groups = [labels == k for k in np.unique(labels) if np.sum(labels == k) >= FEWEST]
    groups.sort(key=lambda group: _cut(spray, group))
    return Proposal(float(spray.separability_), (_bisected(spray.embedding_[:, 1]), *groups))


METHODS: dict[str, Callable[[Views], Proposal]] = {
    "neural PCA": neural_pca,
    "PCX mixture": prototypes,
    "SpRAy [000]": published_spray,
}


def propose(network: nn.Module, dataset: Dataset, classes: Sequence[int], seed: int) -> dict[str, Proposed]:
    """Return what every method proposes for these classes, on the samples that the audit takes."""
    drawn = draw_per_class(labels_of(dataset), SAMPLES, seed)
    index = {label: drawn[label] for label in classes}
    proposals: dict[str, dict[int, Proposal]] = {name: {} for name in METHODS}
    for label, chosen in index.items():
        views = views_of(network, read_samples(dataset, chosen)[0], label)
        for name, method in METHODS.items():
            proposals[name][label] = method(views)
    return {name: Proposed(index, found) for name, found in proposals.items()}


def views_of(network: nn.Module, images: Tensor, label: int) -> Views:
    """Explain the images of a class and read their penultimate features."""
    lrp, layer = LRP(network), FEATURES[type(network).__name__]
    heatmaps = torch.cat([sum_channels(lrp.attribute(part, label)) for part in images.split(64)])
    latent = torch.cat([lrp.attribute(part, label, layer=layer).sum((2, 3)) for part in images.split(64)])
    return Views(heatmaps.numpy(), latent.numpy(), weighted_features(network, images, label).numpy())


def weighted_features(network: nn.Module, images: Tensor, label: int) -> Tensor:
    """Return ψ = w_k ⊙ φ (n, d): what each penultimate feature adds to the logit of the class."""
    head = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    seen: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for part in images.split(64):
            network(part)
    handle.remove()
    features = torch.cat([each.mean((2, 3)) if each.dim() == 4 else each for each in seen])
    return features * head.weight.detach()[label].flatten()


def _top(alpha: NDArray[np.floating]) -> Members:
    above = alpha > alpha.mean() + DEVIATIONS * alpha.std()
    if above.sum() >= FIXED:
        return above
    return np.isin(np.arange(len(alpha)), np.argsort(alpha)[::-1][:FIXED])


def _bisected(vector: NDArray[np.floating]) -> Members:
    """The smaller of two sides of an eigenvector."""
    side = KMeans(2, n_init=3, random_state=0).fit_predict(vector[:, None]) == 1
    return side if side.sum() <= len(side) / 2 else ~side


def _cut(spray: SpRAy, group: Members) -> float:
    """The normalised cut of a group in the neighbour graph."""
    degree = np.asarray(spray.affinity_.sum(axis=1)).ravel()
    out = float(spray.affinity_[group][:, ~group].sum())
    return out / max(float(degree[group].sum()), 1e-12) + out / max(float(degree[~group].sum()), 1e-12)
