"""The audit under test, behind one function: this is the only module that knows how the product audits.

Today's steps (auditor → judge → examine on the striking cluster), as `SpRAyAudit` takes them with its defaults, but
for every class, suspicious or not. The two-dimensional map and the control on raw images, which decide nothing, are
left out, so the seconds are those of the decision alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset
from unhans.callbacks.verification import Suspect, Verification

from unhans.artifacts.case import Case
from unhans.attribution import Relevance
from unhans.data import bench_of, reading
from unhans.spray import Auditor, SpRAy, Suspicion, judge, ranked

SAMPLES = 300  # of a class
PASTED = 200  # images of other classes
POOLING = 28
VERDICTS = {"proven": "proven", "no effect": "not used", "not separable": "open"}


@dataclass(frozen=True)
class ClassResult:
    """What the audit says of one class.

    position: in the ranking, from 1; score: what it is ranked by; verdict: "not tested" where nothing could be pasted;
    index: (n,) the audited samples; members: (n,) of every proven candidate, else of the first one, () without any;
    effect: Δp found, None where nothing was pasted; kind: of the isolated artifact, "" without one; seconds: of the
    processor, as the machine may have other work.
    """

    label: int
    name: str
    position: int
    score: float
    verdict: Literal["proven", "not used", "open", "not tested"]
    index: NDArray[np.int64]
    members: tuple[NDArray[np.bool_], ...]
    effect: float | None
    kind: str
    seconds: float


def audit_run(network: nn.Module, dataset: Dataset, classes: Sequence[int], seed: int) -> list[ClassResult]:
    """Audit classes, by label, of a data set of (image, label) items that knows `labels` and `classes`.

    What is pasted is pasted on images of all other classes.
    """
    attribution = Relevance()
    auditor = Auditor(attribution.of(network), SpRAy(pooling=POOLING, projection=None, random_state=seed))
    verification = Verification(bench_of(network, dataset, attribution, seed=seed), dataset, PASTED)
    found: dict[int, ClassResult] = {}
    suspicions: list[Suspicion] = []
    labels = reading.labels_of(dataset)
    names, drawn = reading.names_of(dataset, labels), reading.choose(labels, SAMPLES, seed)
    for label in classes:
        began = time.process_time()
        result, suspicion = _audited(auditor, verification, dataset, drawn[label], label, names[label])
        found[label] = replace(result, seconds=time.process_time() - began)
        suspicions += [] if suspicion is None else [suspicion]
    order = [each.label for each in ranked(suspicions)]
    order += [label for label in found if label not in order]
    return [replace(found[label], position=place) for place, label in enumerate(order, start=1)]


def _audited(
    auditor: Auditor, verification: Verification, dataset: Dataset, chosen: NDArray[np.int64], label: int, name: str
) -> tuple[ClassResult, Suspicion | None]:
    """Audit one class; what cannot be clustered or isolated is not tested, as in the callback."""
    images, index = reading.read(dataset, chosen)
    nothing = ClassResult(label, name, 0, 0.0, "not tested", index, (), None, "", 0.0)
    try:
        audit = auditor.audit(images, index, label, name)
    except ValueError:
        return nothing, None
    suspicion = judge(audit)
    scored = replace(nothing, score=suspicion.score)
    if audit.cluster is None:
        return scored, suspicion
    case = verification.case(Suspect(audit, suspicion, images), reading.displayed(dataset, images))
    return _of_case(replace(scored, members=(audit.cluster.members,)), case), suspicion


def _of_case(result: ClassResult, case: Case) -> ClassResult:
    """Add what isolating and pasting found; a proven artifact is told to lie on the images that match it."""
    kind = "" if case.isolated is None else case.isolated.kind
    if case.proof is None:
        return replace(result, kind=kind)
    members = (case.isolated.members,) if case.proven and case.isolated is not None else result.members
    effect = case.proof.added[0].effect.probability
    return replace(result, kind=kind, effect=effect, members=members, verdict=VERDICTS[case.proof.verdict.name])
