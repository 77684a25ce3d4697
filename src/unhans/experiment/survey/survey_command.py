"""The analysis `spray`: explain every class here, cluster it on workers at the same time, and rank the classes."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.run import Subject
from unhans.experiment.survey.executor import Parallel, Pool
from unhans.experiment.survey.explanation import NothingReadError, check_explainable, explain_class, write_reference
from unhans.experiment.survey.overview import log_overview, ranking_of, remarks, write_overview
from unhans.experiment.survey.survey import ClassResult, Step, Survey, Target, plan, save_result
from unhans.experiment.survey.worker import ClassJob, Failure, cluster_class, work_done
from unhans.lrp import UnsupportedModelError
from unhans.report import Stages, stages
from unhans.report.figures import MOST_GROUPS
from unhans.report.html import Thumbnails, thumbnails_for
from unhans.report.tables import ranking_table
from unhans.spray import SpRAy, Suspicion
from unhans.store import sweep
from unhans.terminal import CONSOLE

LOG = logging.getLogger("unhans")


def run_survey(survey: Survey, parallel: Parallel, findings: list[ClassResult]) -> None:
    """Do what is left of a survey; the finding of every class is added as soon as its files are on the disk.

    Raises:
        ValueError: the network cannot be explained, or files in the folder are of a newer version.
        OSError: the disk is full; what was finished before is kept.
    """
    survey.spray.check_parameters()
    todo = plan(survey)
    if any(not step.explained for step in todo.steps):
        check_explainable(survey)
    survey.begin()
    for sentence in todo.sentences():
        CONSOLE.print(escape(sentence))
    findings += todo.finished
    if todo.steps:
        write_reference(survey)
        samples = sum(len(survey.subsets[step.label]) for step in todo.steps if not step.explained)
        begun: dict[int, Path] = {}
        CONSOLE.print(f"{len(todo.steps)} classes are left to do, {samples} samples of them to explain.")
        with stages(samples, len(todo.steps), lambda: work_done(list(begun.values()))) as bars:
            _Run(survey, findings, bars, thumbnails_for(len(survey.subsets)), begun).do(todo.steps, parallel)


@dataclass
class _Run:
    survey: Survey
    findings: list[ClassResult]
    bars: Stages
    thumbnails: Thumbnails
    begun: dict[int, Path]  # folders of the classes that are handed in and not finished
    refused: Counter[str] = field(default_factory=Counter)  # why, and how many classes
    explaining: dict[int, float] = field(default_factory=dict)  # seconds, by label
    lock: threading.Lock = field(default_factory=threading.Lock)

    def do(self, steps: list[Step], parallel: Parallel) -> None:
        """Explain class after class and hand each to the workers; classes that are explained already go first."""
        parallel = parallel.at_most(len(steps))
        light = replace(self.survey, network=None, dataset=None, subsets={}, labels=None, begin=None)
        polite = parallel.elsewhere and torch.device(self.survey.device).type == "cpu"
        with Pool(parallel, cluster_class, self._done, self._given_up) as pool:
            for step in sorted(steps, key=lambda step: not step.explained):
                if step.explained or self._explain(step):
                    self.begun[step.label] = self.survey.files(step.label).folder
                    seconds = self.explaining.get(step.label, 0.0)
                    pool.submit(ClassJob(light, step.label, step.analysis, self.thumbnails, seconds, polite))
        for reason, count in self.refused.items():
            if count > 1:
                CONSOLE.print(f"[yellow]not ranked:[/] {count - 1} more of {len(steps)} classes: {escape(reason)}")

    def _explain(self, step: Step) -> bool:
        """Write the heatmaps of a class; tell whether there is anything to cluster."""
        name, n = self.survey.classes[step.label], len(self.survey.subsets[step.label])
        began = time.perf_counter()
        self.bars.explaining(name)
        try:
            if n <= self.survey.spray.neighbours_among(n):
                self.bars.explained(n)
                raise ValueError(
                    f"it has {n} samples; SpRAy expects more than n_neighbors={self.survey.spray.n_neighbors}"
                )
            explain_class(self.survey, step.label, step.maps, self.bars.explained)
        except UnsupportedModelError:
            raise  # it holds for every class
        except ValueError as error:
            result = ClassResult(step.label, name, refused=str(error))
            if not isinstance(error, NothingReadError):  # the next run tries again: the images may be there then
                save_result(self.survey.files(step.label), result, step.analysis)
            self._add(result)
            return False
        self.explaining[step.label] = time.perf_counter() - began
        return True

    def _done(self, job: ClassJob, result: ClassResult | OSError | Failure) -> None:
        if isinstance(result, OSError):
            raise result
        if isinstance(result, Failure):  # the next run tries again, since no finding is saved
            LOG.error("class %r failed; the others go on.\n%s", job.name, result.trace)
            result = ClassResult(job.label, job.name, refused=result.sentence)
        self._add(result)

    def _given_up(self, job: ClassJob, error: BaseException) -> None:
        """Report a class that has no result; since no finding is saved, the next run tries again."""
        what = "its worker died twice" if isinstance(error, BrokenExecutor) else "its worker could not do it"
        text = str(error).strip().splitlines()
        reason = f"{what} ({type(error).__name__}{f': {text[0][:200]}' if text else ''})"
        self._add(ClassResult(job.label, job.name, refused=reason))

    def _add(self, finding: ClassResult) -> None:
        """Add a finding; called by the thread that explains and by that of the class jobs."""
        with self.lock:
            self.findings.append(finding)
            self.begun.pop(finding.label, None)
            self.bars.clustered(finding.name)
            if finding.refused:
                self.refused[finding.refused] += 1
                if self.refused[finding.refused] == 1:
                    name = escape(repr(finding.name))
                    CONSOLE.print(f"[yellow]not ranked:[/] class {name}: {escape(finding.refused)}")


def audit_classes(
    subject: Subject,
    spray: SpRAy,
    control: bool = True,
    classes: Sequence[str] | None = None,
    target: Target = "label",
    groups: Annotated[int, Field(ge=1, le=MOST_GROUPS)] | None = None,
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
        groups: striking groups with samples of their own on the page of a class; None: the most striking one. Pages of
            finished classes stay as they are.
        parallel: where classes are clustered; None is in as many processes as there are cores.
        logger: gets the ranking, the striking clusters and the pages of suspicious classes.
    """
    survey = survey_of(subject, spray, classes, target, control, groups)
    with subject.closing(logger):
        subject.hold()
        ranking = audit_survey(survey, parallel or Parallel(), logger)
        CONSOLE.print(ranking_table(ranking))
        for remark in remarks(survey, ranking):
            CONSOLE.print(escape(remark))
    return {"suspicious": float(sum(entry.suspicious for entry in ranking))}


def survey_of(
    subject: Subject,
    spray: SpRAy,
    classes: Sequence[str] | None = None,
    target: Target = "label",
    control: bool = True,
    groups: int | None = None,
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
        groups=groups,
    )


def audit_survey(
    survey: Survey, parallel: Parallel, logger: Logger | None = None, findings: list[ClassResult] | None = None
) -> list[Suspicion]:
    """Run a survey and write everything about it, also about what was finished when it is interrupted.

    Args:
        survey: in a folder that is held.
        parallel: where classes are clustered.
        logger: gets the ranking, the striking clusters and the pages of suspicious classes.
        findings: a list to which those of all classes are added.

    Raises:
        ValueError: no class could be ranked, or the network cannot be explained.
        OSError: the disk is full.
    """
    findings = [] if findings is None else findings
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
