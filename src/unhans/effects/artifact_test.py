"""From the suspicious cluster of a class to a verdict: isolate its artifact, paste it elsewhere, find it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Layered, is_whole
from unhans.effects.bench import Bench, Meter
from unhans.effects.case import Case
from unhans.effects.prevalence import spread
from unhans.effects.proof import Proof, prove, prove_work
from unhans.effects.relevance_share import reproduce
from unhans.effects.thresholds import MINIMUM
from unhans.isolation import Isolated, NothingIsolatedError, isolate

if TYPE_CHECKING:
    from unhans.spray import Suspicion


Kind = Literal["auto", "fixed", "free", "global"]
Advance = Callable[[int], None]
Truth = Callable[[int], Tensor]

FIRST = 100  # samples that may show that an artifact is not used; about 75 can
MORE = 4  # times as many samples are taken where an effect is seen, but not surely
_LENDERS = 25  # samples whose patches are pasted instead; with fewer no effect could be told from that of patches
_SURE = 0.002  # p-value up to which a proof is likely to hold among many tests


def examine(
    bench: Bench,
    images: Tensor,
    index: NDArray[np.int64],
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    label: int,
    name: str,
    *,
    suspicion: Suspicion | None = None,
    kind: Kind = "auto",
    mask: NDArray[np.bool_] | None = None,
    given: Layered | None = None,
    description: str = "",
    others: NDArray[np.int64] | None = None,
    splits: Mapping[str, NDArray[np.int64]] | None = None,
    truth: Truth | None = None,
    samples: int = 500,
    fills: Sequence[str] = ("telea",),
    advance: Advance = lambda samples: None,
) -> Case:
    """Isolate the artifact of a cluster and measure its effect; what cannot be isolated is a case with a trouble.

    Args:
        bench: the network and a data set; every index counts in this data set.
        images: (n, 3, H, W) in [0, 1], samples of one class as a person sees them.
        index: (n,) of the images.
        heatmaps: (n, H, W) relevance with respect to the class, in any positive scale.
        members: (n,) the samples of the cluster; where the artifact is given, those that are known to carry it.
        label, name: of the class.
        suspicion: why the class is looked at; None where the user named it.
        kind: "fixed" and "free" look for nothing else.
        mask: (H, W), where the artifact lies, if it is known; only its pixels are then estimated.
        given: an artifact to test in place of one that is isolated.
        description: what the given artifact is, in words.
        others: the samples to paste on, of other classes and without the artifact; None is all of other classes.
        splits: by name ("train", "val"), the indices of every split in which the artifact is looked for; None: nowhere.
        truth: an affected sample's image as it was before the artifact was planted, if that is known.
        samples: how many samples of other classes to paste on, at most.
        fills: how the artifact is removed.
        advance: called with a number of images whenever some are done, `work(…)` in all.

    Raises ValueError where no effect can be measured, as without samples of other classes.
    """
    case = Case(label, name, suspicion)
    pool = np.flatnonzero((bench.labels >= 0) & (bench.labels != label)) if others is None else others
    meter = Meter(work(bench, label, index, pool, splits, samples, fills), advance)
    trials = partial(prove, bench, label=label, truth=truth, samples=samples, fills=fills, others=pool, advance=meter)
    if given is not None:
        proof = trials(given, description=description, affected=index[members], unaffected=index[~members])
        return _counted(meter, replace(case, proof=proof))
    try:
        isolated = isolate(images, heatmaps, members, kind=kind, mask=mask, seed=bench.seed)
    except NothingIsolatedError as error:
        return _counted(meter, replace(case, trouble=str(error)))
    return _counted(
        meter,
        examine_isolated(
            bench,
            replace(case, isolated=isolated),
            index,
            heatmaps,
            others=pool,
            cluster=members,
            splits=splits,
            truth=truth,
            samples=samples,
            fills=fills,
            advance=meter,
        ),
    )


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
    advance: Advance = lambda samples: None,
) -> Case:
    """Return the case of an isolated artifact with its effect, how well it draws relevance, and who carries it.

    The first hundred samples may end the test: where they exclude an effect no more is measured, neither controls and
    removal, which then decide nothing, nor who carries it. This makes no false proof likelier; an effect of exactly
    MINIMUM is then called not used in 5 % of cases instead of the 3.5 % of a single look (exact binomial numbers for
    effects of 0 or 1). Where an effect is seen, but not surely, four times the samples are taken: the p-value is one
    over what a bet on every sample has won, which holds however many samples are added
    (`unhans.stats.significance`).

    Args:
        bench: the network and a data set; every index counts in this data set.
        case: with its isolated artifact.
        index, heatmaps: (n,) and (n, H, W) of the images that it was isolated from.
        others: the samples of other classes to put it on.
        cluster: (n,) the group that it was isolated from; None is its members.
        grouped: indices of all samples that were clustered, and of those in the group; None: index and index[cluster].
        splits, truth, samples, fills, advance: as for `examine`.
    """
    isolated = case.isolated
    assert isolated is not None
    cluster = isolated.members if cluster is None else cluster
    unaffected = index[~cluster & ~isolated.members]
    options = {
        "description": isolated.sentence,
        "unaffected": unaffected if len(unaffected) >= _LENDERS else unaffected[:0],
        "others": others,
        "truth": truth,
        "fills": fills,
        "advance": advance,
    }
    if samples > FIRST and len(others) > FIRST:
        first = prove(bench, isolated, case.label, affected=index[:0], samples=FIRST, controls=False, **options)
        if first.verdict.name == "not used":
            return replace(case, proof=first)
    if splits and isolated.detector is not None:
        found_in = (index, index[cluster]) if grouped is None else grouped
        shares = spread(bench, isolated.detector, case.label, splits, *found_in, advance)
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


def work(
    bench: Bench,
    label: int,
    index: NDArray[np.int64],
    others: NDArray[np.int64],
    splits: Mapping[str, NDArray[np.int64]] | None,
    samples: int,
    fills: Sequence[str],
) -> int:
    """Return how many images an examination tells `advance` of, for a progress bar."""
    looked_at = sum(int((bench.labels[indices] == label).sum()) for indices in (splits or {}).values())
    options = {"affected": index, "unaffected": index, "samples": samples, "fills": fills, "others": others}
    return looked_at + prove_work(bench, label, **options)


def _counted(meter: Meter, case: Case) -> Case:
    """Count what was planned and not necessary."""
    meter.finish()
    return case


def _masks(isolated: Isolated, index: NDArray[np.int64]) -> Callable[[int], NDArray[np.bool_]]:
    """Return where the artifact lies on a sample, by its index in the data set."""
    rows = {int(sample): row for row, sample in enumerate(index)}
    return lambda sample: isolated.masks[rows[sample]]
