"""From an isolated artifact to a verdict: paste it elsewhere, take it away, find it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import is_whole
from unhans.effects.bench import Bench
from unhans.effects.case import Case, Share
from unhans.effects.interventions import Truth
from unhans.effects.proof import Proof, prove
from unhans.effects.relevance_share import reproduce
from unhans.effects.verdict import MINIMUM
from unhans.isolation import Detector, Isolated

FIRST = 100  # samples that may show that an artifact is not used; about 75 can
MORE = 4  # times as many samples are taken where an effect is seen, but not surely
LENDERS = 25  # samples whose patches are pasted instead; with fewer no effect could be told from that of patches
_SURE = 0.002  # p-value up to which a proof is likely to hold among many tests


def examine_isolated(
    bench: Bench,
    case: Case,
    index: NDArray[np.int64],
    heatmaps: NDArray[np.floating],
    *,
    others: NDArray[np.int64],
    cluster: NDArray[np.bool_] | None = None,
    grouped: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    splits: Mapping[str, NDArray[np.int64]] | None = None,
    truth: Truth | None = None,
    samples: int = 500,
    fills: Sequence[str] = ("telea",),
) -> Case:
    """Return the case of an isolated artifact with its effect, how well it draws relevance, and who carries it.

    The first hundred samples may end the test: where they exclude an effect no more is measured, neither controls and
    removal, which then decide nothing, nor who carries it. This makes no false proof likelier; an effect of exactly
    MINIMUM is then called not used in 5 % of cases instead of the 3.5 % of a single look (exact binomial numbers for
    effects of 0 or 1). Where an effect is seen, but not surely, four times the samples are taken: the p-value is one
    over what a bet on every sample has won, which holds however many are added (`unhans.stats.intervals`).

    Args:
        bench: the network and a data set; every index counts in this data set.
        case: with its isolated artifact.
        index, heatmaps: (n,) and (n, H, W) of the images that it was isolated from.
        others: the samples of other classes to put it on.
        cluster: (n,) the group that it was isolated from; None is its members.
        grouped: indices of all samples that were clustered, and of those in the group; None: index and index[cluster].
        splits: by name ("train", "val"), the indices of every split in which the artifact is looked for; None: nowhere.
        truth: an affected sample's image as it was before the artifact was planted, if that is known.
        samples: how many samples of other classes to paste on, at most.
        fills: how the artifact is removed.

    Raises:
        ValueError: no effect can be measured, as without samples of other classes.
    """
    isolated = case.isolated
    assert isolated is not None
    cluster = isolated.members if cluster is None else cluster
    unaffected = index[~cluster & ~isolated.members]
    options = {
        "unaffected": unaffected if len(unaffected) >= LENDERS else unaffected[:0],
        "others": others,
        "truth": truth,
        "fills": fills,
    }
    if samples > FIRST and len(others) > FIRST:
        first = prove(bench, isolated, case.label, affected=index[:0], samples=FIRST, controls=False, **options)
        if first.verdict.name == "not used":
            return replace(case, proof=first)
    if splits and isolated.detector is not None:
        found_in = (index, index[cluster]) if grouped is None else grouped
        shares = spread(bench, isolated.detector, case.label, splits, *found_in)
        case = replace(case, spread=shares)
    quality = None if is_whole(isolated) else reproduce(bench, isolated, case.label, heatmaps, others)
    masks = _masks(isolated, index)
    whole = partial(prove, bench, isolated, case.label, affected=index[isolated.members], masks=masks)
    proof = whole(samples=samples, **options)
    if _nearly(proof) and len(others) > samples:
        proof = whole(samples=MORE * samples, **options)
    return replace(case, quality=quality, proof=proof)


def _nearly(proof: Proof) -> bool:
    """Whether more samples are likely to show an effect: it is large enough, and not sure enough among many tests."""
    effect, p_value = proof.added[0].effect, proof.verdict.p_value
    unsure = proof.verdict.name == "open" or (p_value is not None and p_value > _SURE)
    return unsure and effect.probability > MINIMUM and effect.probability_interval[0] > 0


def _masks(isolated: Isolated, index: NDArray[np.int64]) -> Callable[[int], NDArray[np.bool_]]:
    """Return where the artifact lies on a sample, by its index in the data set."""
    rows = {int(sample): row for row, sample in enumerate(index)}
    return lambda sample: isolated.masks[rows[sample]]


def spread(
    bench: Bench,
    detector: Detector,
    label: int,
    splits: Mapping[str, NDArray[np.int64]],
    clustered: NDArray[np.int64],
    cluster: NDArray[np.int64],
) -> tuple[Share, ...]:
    """Count in every split the samples of a class that carry an artifact, and how many are classified correctly.

    Only one batch of images is in memory; what cannot be read counts nowhere.

    Args:
        bench: the network and a data set; every index counts there.
        detector: finds the artifact.
        label: of the class.
        splits: by name ("train", "val"), the indices of a split's samples of all classes.
        clustered: the samples whose heatmaps were clustered.
        cluster: those of them that are in the artifact's cluster.
    """
    found = []
    for name, indices in splits.items():
        own = indices[bench.labels[indices] == label]
        carries, correct = _looked_at(bench, detector, label, own)
        found.append(
            Share(
                split=name,
                n=len(carries),
                by_cluster=int(np.isin(own, cluster).sum()) if np.isin(own, clustered).any() else None,
                by_matching=int(carries.sum()),
                correct=int(correct.sum()),
                correct_without=int(correct[~carries].sum()),
            )
        )
    return tuple(found)


def _looked_at(
    bench: Bench, detector: Detector, label: int, indices: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each sample that can be read carries the artifact, and whether it is classified as its class."""
    carries, correct = [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=bool)]
    for images, _ in bench.batches(indices):
        carries.append(detector.match(images).carries)
        correct.append(bench.predict(images).argmax(1) == label)
    return np.concatenate(carries), np.concatenate(correct)
