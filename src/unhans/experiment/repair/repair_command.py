"""Repairing a network that is right for the wrong reasons, by several methods and with several seeds, compared."""

from __future__ import annotations

from collections.abc import Sequence

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import Placement
from unhans.clarc import Estimator, Spatial
from unhans.experiment.repair.fine_tuning import FineTuning
from unhans.experiment.repair.initial_network import Given, Start
from unhans.experiment.repair.outcome_store import Keys
from unhans.experiment.repair.repair_checks import check_repair, name_of
from unhans.experiment.repair.repair_methods import Repairing
from unhans.experiment.repair.repair_options import AUTO, ConceptFrom, Settings, check_methods, check_seeds
from unhans.experiment.repair.repair_results import conclude, numbers_of
from unhans.experiment.repair.repaired_artifact import affected_of
from unhans.experiment.run import CONSOLE, Subject
from unhans.harness import Affected
from unhans.repair import METHODS, Method, Outcome
from unhans.report.loggers import finish
from unhans.store import held, sweep


def repair(
    subject: Subject,
    tuning: FineTuning,
    start: Start | None = None,
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = (0, 1, 2),
    artifact: str | None = None,
    classes: Sequence[str] | None = None,
    placement: Placement = "top_left",
    size: float | None = None,
    layer: str = AUTO,
    estimator: Estimator = "pattern",
    spatial: Spatial = "positions",
    concept: ConceptFrom | None = None,
    samples: int = 200,
    strength: float = 1.0,
    weight: float = 1.0,
    images: int | None = None,
    keep: Sequence[int] = (0, 1, 5, 10),
    logger: Logger | None = None,
) -> dict[str, float]:
    """Repair the network by every method and seed, assess every result, and compare them.

    What is finished in the subject's folder is not done again; a run that was killed goes on.

    Args:
        subject: the network and its data.
        tuning: how networks are trained.
        start: gives the network that a seed begins with; None is the subject's for every seed.
        methods: names of `unhans.repair.methods.METHODS`.
        seeds: of the order of samples, dropout, a new head, and the samples of concepts.
        artifact: a picture, or the folder of analysis=effect (or a case in it); None is the planted artifact.
        classes: the name of the one class that the artifact belongs to, which a picture needs.
        placement, size: where a picture goes, and its share of the image; None keeps its own pixels.
        layer, estimator, spatial, concept, samples, strength, weight, images, keep: see `Settings`.
        logger: gets the numbers, tables and figures, once.

    Returns the means over seeds that a sweep may optimise, such as "p_clarc/effect".
    Raises ValueError, before any long work, for what cannot be repaired.
    """
    chosen, each = check_methods(methods), check_seeds(seeds)
    settings = Settings(layer, estimator, spatial, concept, samples, strength, weight, images, tuple(keep))
    failed = 1
    try:
        affected = affected_of(subject, artifact, name_of(classes), placement=placement, size=size)
        check_repair(subject, affected, settings, chosen)
        keys = Keys(subject, tuning, start or Given(subject.network), affected, settings)
        CONSOLE.print(escape(_introduced(affected)))
        with held(subject.out):
            subject.begin()
            sweep(subject.out)
            outcomes = _outcomes(Repairing(keys), chosen, each)
            conclude(subject, affected, outcomes, logger)
        failed = 0
    finally:
        subject.data.report_unreadable()
        finish([logger] if logger else [], failed)
    return numbers_of(outcomes)


def _outcomes(repairing: Repairing, methods: Sequence[Method], seeds: Sequence[int]) -> list[Outcome]:
    """Do what is left, seed after seed: a comparison is whole as early as it can be."""
    todo, found = [], []
    for seed in seeds:
        for method in methods:
            outcome = repairing.finished(method, seed)
            found += [] if outcome is None else [outcome]
            todo += [(method, seed)] if outcome is None else []
    if found:
        CONSOLE.print(f"{len(found)} of {len(found) + len(todo)} repairs were finished before.")
    for number, (method, seed) in enumerate(todo, 1):
        CONSOLE.print(f"{number} of {len(todo)}: {METHODS[method]}, seed {seed}")
        outcome = repairing.outcome(method, seed)
        CONSOLE.print(f"[dim]   {escape(_said(outcome))}[/]")
        found.append(outcome)
    return sorted(found, key=lambda one: (methods.index(one.method), one.seed))


def _introduced(affected: Affected) -> str:
    """Say what is repaired."""
    carriers = " and ".join(f"{int(rows.sum())} {split}" for split, rows in affected.carriers.items())
    known = (
        f"known to be on {carriers} images."
        if any(map(any, affected.carriers.values()))
        else "whose carriers nobody knows."
    )
    return f"The artifact: {affected.said}, {known} {affected.remark}".strip()


def _said(outcome: Outcome) -> str:
    """Say in one line what came out."""
    one = outcome.assessment
    return (
        f"accuracy {100 * one.clean.share:.1f} %, with the artifact {100 * one.added.share:.1f} %, "
        f"Δp {one.effect.probability:+.3f}; {outcome.seconds:.0f} s"
    )
