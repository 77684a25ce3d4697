"""The analysis `effect`: from the groups of a survey to artifacts whose effect is measured, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import Placement
from unhans.effects import Kind
from unhans.experiment.cases import Tested
from unhans.experiment.effect.effect_checks import check_input, check_listed
from unhans.experiment.effect.effect_options import Question
from unhans.experiment.effect.effect_results import conclude, numbers_of, sections, settled, states_of
from unhans.experiment.effect.effect_test import Proving, clustered
from unhans.experiment.effect.user_files import read_artifact, read_mask, read_members
from unhans.experiment.run import CONSOLE, Subject
from unhans.experiment.survey import (
    Finding,
    Parallel,
    Survey,
    analysis_key,
    audit_survey,
    maps_key,
    remarks,
    survey_of,
    weights_of,
    write_overview,
)
from unhans.report import progress
from unhans.report.loggers import finish
from unhans.report.tables import ClassState, ranking_table, states_part
from unhans.spray import SpRAy, Suspicion
from unhans.store import held


def measure_effects(
    subject: Subject,
    spray: SpRAy,
    classes: Sequence[str] | None = None,
    artifact: str | None = None,
    placement: Placement = "top_left",
    size: float | None = None,
    mask: str | None = None,
    members: str | None = None,
    kind: Kind = "auto",
    samples: int = 500,
    fills: Sequence[str] = ("telea",),
    candidates: int = 3,
    tests: int = 2,
    most: int | None = None,
    control: bool = True,
    parallel: Parallel | None = None,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Isolate what the groups of every class share, put it on other images, remove it, and give verdicts.

    The survey comes first, in the same folder; where it is finished, as in the folder of analysis=spray, nothing of it
    is done again. Nor is a class that was tested before. One false-discovery rate holds over all tests of a run
    (`unhans.effects.decide`), so verdicts are final when every class is tested.

    Args:
        subject: the network and its data.
        spray: how heatmaps are clustered.
        classes: names of the classes to look at; None is all.
        artifact: an RGBA picture to test on the one class that is named, in place of a survey and an isolated layer.
        placement, size: where that picture goes, and its share of the image; None keeps its own pixels.
        mask: a picture, white where the artifact of the one class that is named lies.
        members: a table such as suspects.csv: its samples of the one class that is named take the place of its groups.
        kind: what to look for: auto, fixed (always at one place), free (at changing places) or global.
        samples: of other classes to put it on, at most: validation samples, then training samples.
        fills: how the artifact is removed from samples that carry it.
        candidates: groups of a class from which something is isolated, at most.
        tests: artifacts of a class that are tested, at most.
        most: how many classes to test, those that stand out most first; None is all.
        control: run SpRAy on the raw images as well.
        parallel: where classes are clustered.
        logger: gets the tables and figures.
    """
    check_input(subject, classes, kind, fills, {"artifact": artifact, "mask": mask, "members": members})
    side, seed = subject.data.image_size, subject.seed
    given = None if artifact is None else read_artifact(artifact, str(classes[0]), placement, size, side, seed)
    region = None if mask is None else read_mask(mask, side)
    listed = frozenset() if members is None else read_members(members)
    check_listed(subject, listed, classes)
    question = Question(kind, samples, tuple(fills), candidates, tests, most, region, given, listed)
    failed = 1
    try:
        if given is not None:
            done, states = _of_given(subject, question, classes)
        else:
            survey = survey_of(subject, spray, classes, control=control)
            done, states = _of_survey(subject, question, survey, parallel or Parallel(), logger)
        conclude(subject.out, done, states, samples, logger)
        failed = 0
    finally:
        subject.data.report_unreadable()
        finish([logger] if logger else [], failed)
    return numbers_of(done)


def _of_given(subject: Subject, question: Question, classes: Sequence[str]) -> tuple[list[Tested], list[ClassState]]:
    """Test the user's picture on the class that is named."""
    (label,) = subject.subsets(classes)
    plan = Proving(subject, question)
    key = plan.key(label, {"model": weights_of(subject.network)})
    with held(subject.out), progress(plan.work(label)) as say:
        subject.begin()
        done = settled([replace(plan, say=say).prove_given(label, key)], {})
    return done, states_of([], done, [])


def _of_survey(
    subject: Subject, question: Question, survey: Survey, parallel: Parallel, logger: Logger | None
) -> tuple[list[Tested], list[ClassState]]:
    """Survey the classes, then test what their groups share, the classes that stand out most first."""
    findings: list[Finding] = []
    ranking = audit_survey(survey, parallel, logger, findings)
    CONSOLE.print(ranking_table(ranking))
    for remark in remarks(survey, ranking):
        CONSOLE.print(escape(remark))
    with held(survey.out):
        done = settled(_tested(subject, question, survey, ranking), {entry.label: entry for entry in ranking})
        states = states_of(ranking, done, findings)
        write_overview(survey, findings, sections(done), states_part(states))
    return done, states


def _tested(subject: Subject, question: Question, survey: Survey, ranking: Sequence[Suspicion]) -> list[Tested]:
    """Return the cases of all classes that are to be tested, and of those that were, in the order of the ranking.

    What was tested before counts as a test of this run, also where `most` would leave it out now.
    """
    plan, weights = Proving(subject, question), weights_of(survey.network)
    chosen = {entry.label for entry in ranking[: question.most]}
    done: list[Tested] = []
    with progress(len(chosen)) as say:
        proving = replace(plan, say=say)
        for entry in ranking:
            key = proving.key(entry.label, analysis_key(survey, maps_key(survey, entry.label, weights)))
            cases = proving.finished(entry.label, key)
            if not cases and entry.label in chosen:
                groups = 1 if question.listed else question.candidates
                found = clustered(survey, entry, groups, proving.both, subject.seed, question.listed)
                cases = proving.prove(found, key)
            done += cases
            say(f"testing class {entry.name}", int(entry.label in chosen))
    return done
