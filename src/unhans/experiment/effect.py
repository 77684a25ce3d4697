"""The analysis `effect`: from the suspicious clusters of a survey to artifacts whose effect is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts.examine import Kind
from unhans.artifacts.placement import Placement
from unhans.experiment.auditing import audit_survey, survey_of
from unhans.experiment.case_files import Tested
from unhans.experiment.clustered import clustered
from unhans.experiment.console import CONSOLE
from unhans.experiment.effect_input import check_input, check_listed
from unhans.experiment.finding import Finding
from unhans.experiment.given import read_artifact, read_mask, read_members
from unhans.experiment.outcome import conclude, numbers_of, sections
from unhans.experiment.overview import remarks, write_overview
from unhans.experiment.pool import Parallel
from unhans.experiment.proving import Proving
from unhans.experiment.question import Question
from unhans.experiment.subject import Subject
from unhans.experiment.survey import Survey, analysis_key, maps_key, weights_of
from unhans.report import finish, progress, ranking_table
from unhans.spray import SpRAy, Suspicion
from unhans.store import held

NOBODY = (
    "No class is suspicious, so there is no artifact to test; analysis.classes=[…] tests the classes that it names, "
    "suspicious or not."
)


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
    clusters: int = 1,
    control: bool = True,
    parallel: Parallel | None = None,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Isolate the artifact of every suspicious class, paste it on other images, remove it, and give a verdict.

    The survey comes first, in the same folder; where it is finished, as in the folder of analysis=spray, nothing of it
    is done again. Nor is a class whose effect was measured before.

    Args:
        subject: the network and its data.
        spray: how heatmaps are clustered.
        classes: names of the classes to look at, suspicious or not; None is every suspicious one.
        artifact: an RGBA picture to test on the one class that is named, in place of a survey and an isolated layer.
        placement, size: where that picture goes, and its share of the image; None keeps its own pixels.
        mask: a picture, white where the artifact of the one class that is named lies.
        members: a table such as suspects.csv: its samples of the one class that is named take the cluster's place.
        kind: what to look for: auto, fixed (always at one place) or free (at changing places).
        samples: validation samples of other classes to paste on, at most.
        fills: how the artifact is removed from samples that carry it.
        clusters: how many of a class's most striking clusters to examine.
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
    question = Question(kind, samples, tuple(fills), 1 if listed else clusters, region, given, listed)
    failed = 1
    try:
        if given is not None:
            done = _of_given(subject, question, classes)
        else:
            survey = survey_of(subject, spray, classes, control=control)
            done = _of_survey(subject, question, survey, classes is not None, parallel or Parallel(), logger)
        conclude(subject.out, done, samples, logger)
        failed = 0
    finally:
        subject.data.report_unreadable()
        finish([logger] if logger else [], failed)
    return numbers_of(done)


def _of_given(subject: Subject, question: Question, classes: Sequence[str]) -> list[Tested]:
    """Test the user's picture on the class that is named."""
    (label,) = subject.subsets(classes)
    subject.begin()
    plan = Proving(subject, question)
    with held(subject.out), progress(plan.work(label)) as say:
        return [replace(plan, say=say).prove(label, 0, None, {"model": weights_of(subject.network)})]


def _of_survey(
    subject: Subject, question: Question, survey: Survey, named: bool, parallel: Parallel, logger: Logger | None
) -> list[Tested]:
    """Survey the classes, then test the artifacts of those that are suspicious or named."""
    findings: list[Finding] = []
    ranking = audit_survey(survey, parallel, logger, findings)
    CONSOLE.print(ranking_table(ranking))
    for remark in remarks(survey, ranking):
        CONSOLE.print(escape(remark))
    chosen = [entry for entry in ranking if entry.suspicious or named]
    if not chosen:
        CONSOLE.print(NOBODY)
    with held(survey.out):
        done = _tested(subject, question, survey, chosen)
        write_overview(survey, findings, sections(done))
    return done


def _tested(subject: Subject, question: Question, survey: Survey, chosen: Sequence[Suspicion]) -> list[Tested]:
    weights, done = weights_of(survey.network), []
    plan = Proving(subject, question)
    with progress(question.clusters * sum(plan.work(entry.label) for entry in chosen)) as say:
        proving = replace(plan, say=say)
        for entry in chosen:
            key = analysis_key(survey, maps_key(survey, entry.label, weights))
            for rank in range(question.clusters):
                found = clustered(survey, entry.label, rank, proving.both, subject.seed, question.listed)
                if found is not None or not rank:
                    done.append(proving.prove(entry.label, rank, found, key))
    return done
