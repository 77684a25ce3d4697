"""From an isolated artifact to a verdict: paste it elsewhere, take it away, find it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import is_whole
from unhans.effects.bench import Bench
from unhans.effects.case import Case
from unhans.effects.interventions import Truth
from unhans.effects.prevalence import in_other_classes, look_in_splits, remove_in_splits, shares_of
from unhans.effects.proof import Proof, prove
from unhans.effects.relevance_share import reproduce
from unhans.effects.verdict import MINIMUM
from unhans.isolation import Isolated

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
    elsewhere: NDArray[np.int64] | None = None,
    planted: NDArray[np.bool_] | None = None,
) -> Case:
    """Return the case of an isolated artifact with its effect, how well it draws relevance, and who carries it.

    The first hundred samples may end the test: where they exclude an effect no more is measured, neither controls and
    removal, which then decide nothing, nor who of the class carries it; only which other classes do, as that may be
    why. This makes no false proof likelier; an effect of exactly
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
        elsewhere: indices of samples of other classes in which the artifact is looked for; None: in none.
        planted: (N,) which samples carry the artifact that the data plant in this class, if they do.

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
    detector = isolated.detector
    if detector is not None and elsewhere is not None:
        case = replace(case, elsewhere=in_other_classes(bench, detector, case.label, elsewhere, planted))
    if samples > FIRST and len(others) > FIRST:
        first = prove(bench, isolated, case.label, affected=index[:0], samples=FIRST, controls=False, **options)
        if first.verdict.name == "not used":
            return replace(case, proof=first)
    looks = {} if not splits or detector is None else look_in_splits(bench, detector, case.label, splits)
    found_in = (index, index[cluster]) if grouped is None else grouped
    case = replace(case, spread=shares_of(looks, *found_in, planted))
    quality = None if is_whole(isolated) else reproduce(bench, isolated, case.label, heatmaps, others)
    masks = _masks(isolated, index)
    whole = partial(prove, bench, isolated, case.label, affected=index[isolated.members], masks=masks)
    proof = whole(samples=samples, **options)
    if _nearly(proof) and len(others) > samples:
        proof = whole(samples=MORE * samples, **options)
    removals = remove_in_splits(bench, isolated, case.label, index, looks, others, fills, samples, truth)
    proof = replace(proof, removals=removals)
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
