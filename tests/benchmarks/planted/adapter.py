"""The audit under test, behind one function: this is the only module that knows how the product audits.

The steps of `SpRAyAudit` with its defaults (propose, order, isolate, test, decide) for every class. The two-dimensional
map and the control on raw images, which decide nothing, are left out, so the seconds are those of the decision alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset

from unhans.attribution import Relevance, with_latent
from unhans.data import display_images, draw_per_class, labels_of, names_of, read_samples
from unhans.effects import Case, Plan, decide, draw_evenly
from unhans.harness import AuditedClass, bench_of, find_cases
from unhans.spray import Auditor, SpRAy, rank_classes, suspicion_of
from unhans.spray.groups import ImageDescriptors, image_groups

SAMPLES = 300  # of a class
PASTED = 200  # images of other classes
POOLING = 28
CANDIDATES, TESTS = 3, 2  # of a class
REFERENCE = 300  # images of all classes, against which those of one are compared


@dataclass(frozen=True)
class ClassResult:
    """What the audit says of one class.

    position: in the ranking, from 1; score: what it is ranked by; verdict: "not tested" where nothing could be pasted;
    index: (n,) the audited samples; members: (n,) of every proven candidate, else of the first one, () without any;
    effect: Δp found, None where nothing was pasted; kind: of the isolated artifact, "" without one; in_features:
    whether a group of which nothing was isolated has an effect in feature space; seconds: of the processor, as the
    machine may have other work.
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
    in_features: bool
    seconds: float


def audit_run(network: nn.Module, dataset: Dataset, classes: Sequence[int], seed: int) -> list[ClassResult]:
    """Audit classes, by label, of a data set of (image, label) items that knows `labels` and `classes`.

    What is pasted is pasted on images of all other classes; one false-discovery rate holds over the classes.
    """
    attribution, labels = Relevance(), labels_of(dataset)
    names, drawn = names_of(dataset, labels), draw_per_class(labels, SAMPLES, seed)
    example, _ = read_samples(dataset, drawn[classes[0]][:1])
    explain, _ = with_latent(attribution, network, example)
    auditor = Auditor(explain, SpRAy(pooling=POOLING, projection=None, random_state=seed))
    plan = Plan(candidates=CANDIDATES, tests=TESTS, samples=PASTED, seed=seed)
    bench = bench_of(network, dataset, attribution, seed=seed)
    reference, kept = read_samples(dataset, draw_evenly(labels, np.concatenate(list(drawn.values())), REFERENCE, seed))
    reference = ImageDescriptors.of(display_images(dataset, reference).numpy())
    suspects, cases, seconds = {}, [], {}
    for label in classes:
        began = time.process_time()
        images, index = read_samples(dataset, drawn[label])
        shown = display_images(dataset, images)
        others = reference[labels[kept] != label]
        proposed = image_groups(shown.numpy(), others)
        audit = auditor.audit(images, index, label, names[label], shown=shown.numpy(), proposed=proposed)
        suspects[label] = AuditedClass(audit, suspicion_of(audit), images)
        cases += find_cases(suspects[label], shown, bench, dataset, plan)
        seconds[label] = time.process_time() - began
    ranking = rank_classes(suspect.suspicion for suspect in suspects.values())
    scores = {entry.label: (place, entry.score) for place, entry in enumerate(ranking, start=1)}
    decided = decide(cases)
    return [
        _result(suspects[label], [case for case in decided if case.label == label], *scores[label], seconds[label])
        for label in classes
    ]


def _result(suspect: AuditedClass, cases: Sequence[Case], place: int, score: float, seconds: float) -> ClassResult:
    """What is said of a class; a proven artifact is told to lie on the images that match it."""
    found, first = suspect.audit, cases[0]
    proven = tuple(case.isolated.members for case in cases if case.proven and case.isolated is not None)
    members = proven or tuple(group.members for group in found.candidates[:1])
    kinds = [case.isolated.kind for case in cases if case.isolated is not None]
    return ClassResult(
        label=found.label,
        name=found.name,
        position=place,
        score=score,
        verdict="not tested" if first.proof is None else first.proof.verdict.name,
        index=found.index,
        members=members,
        effect=None if first.proof is None else first.proof.added[0].effect.probability,
        kind=kinds[0] if kinds else "",
        in_features=any(case.features is not None and case.features.shown for case in cases),
        seconds=seconds,
    )
