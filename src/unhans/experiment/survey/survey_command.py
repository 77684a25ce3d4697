"""The analysis `spray`: cluster the heatmaps of every class and rank the classes."""

from __future__ import annotations

from collections.abc import Sequence

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.run import CONSOLE, Subject
from unhans.experiment.survey.class_result import Finding
from unhans.experiment.survey.executor import Parallel
from unhans.experiment.survey.overview import log_overview, ranking_of, remarks, write_overview
from unhans.experiment.survey.survey import Survey, Target
from unhans.experiment.survey.survey_run import run_survey
from unhans.report.loggers import finish
from unhans.report.tables import ranking_table
from unhans.spray import SpRAy, Suspicion
from unhans.store import held, sweep


def audit_classes(
    subject: Subject,
    spray: SpRAy,
    control: bool = True,
    classes: Sequence[str] | None = None,
    target: Target = "label",
    parallel: Parallel | None = None,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Audit every class; print the ranking, write it with the report and the lists of samples.

    What is finished stays so: a run into a folder that holds results does what is missing or was made otherwise.

    Args:
        subject: what is audited.
        spray: how heatmaps are clustered.
        control: run the same analysis on the raw images.
        classes: names of the classes to audit; None is all.
        target: explain the label of each sample, or the class predicted for it.
        parallel: where classes are clustered; None is in as many processes as there are cores.
        logger: gets the ranking, the striking clusters and the pages of suspicious classes.
    """
    survey = survey_of(subject, spray, classes, target, control)
    failed = 1
    try:
        ranking = audit_survey(survey, parallel or Parallel(), logger)
        CONSOLE.print(ranking_table(ranking))
        for remark in remarks(survey, ranking):
            CONSOLE.print(escape(remark))
        failed = 0
    finally:
        subject.data.report_unreadable()
        finish([logger] if logger else [], failed)
    return {"suspicious": float(sum(entry.suspicious for entry in ranking))}


def survey_of(
    subject: Subject,
    spray: SpRAy,
    classes: Sequence[str] | None = None,
    target: Target = "label",
    control: bool = True,
) -> Survey:
    """Return the survey of a subject's classes, all or those that are named; see `audit_classes`."""
    return Survey(
        network=subject.network,
        dataset=subject.dataset,
        classes=subject.classes,
        subsets=subject.subsets(classes),
        attribution=subject.attribution,
        spray=spray,
        out=subject.out.absolute(),  # workers may have another working folder
        split=subject.split,
        target=target,
        control=control,
        batch_size=subject.batch_size,
        num_workers=subject.data.num_workers,
        device=subject.device,
        seed=subject.seed,
        labels=subject.dataset.labels,
        begin=subject.begin,
    )


def audit_survey(
    survey: Survey, parallel: Parallel, logger: Logger | None = None, findings: list[Finding] | None = None
) -> list[Suspicion]:
    """Run a survey and write everything about it, also about what was finished when it is interrupted.

    findings: a list to which those of all classes are added.

    Raises:
        ValueError: no class could be ranked, another run holds the folder, or the network cannot be explained.
        OSError: the disk is full.
    """
    findings = [] if findings is None else findings
    with held(survey.out):
        sweep(survey.out)
        try:
            run_survey(survey, parallel, findings)
        finally:
            ranking = write_overview(survey, findings) if ranking_of(findings) else []
    if not ranking:
        raise ValueError("no class could be ranked; the reasons are above.")
    if logger:
        log_overview(logger, survey, findings, ranking)
    return ranking
