"""Running a survey: what is left of it is explained here and clustered by workers, at the same time."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.markup import escape

from unhans.experiment.run import CONSOLE
from unhans.experiment.survey.class_result import Finding, save_finding
from unhans.experiment.survey.executor import Parallel, Pool
from unhans.experiment.survey.explanation import NothingReadError, explain_class
from unhans.experiment.survey.reference_images import reference_file, write_reference
from unhans.experiment.survey.survey import Survey
from unhans.experiment.survey.survey_resumption import Step, plan
from unhans.experiment.survey.worker import ClassJob, Failure, cluster_class, work_done
from unhans.lrp import UnsupportedModelError
from unhans.report import Stages, stages
from unhans.report.html import Thumbnails, thumbnails_for

LOG = logging.getLogger("unhans")


def run_survey(survey: Survey, parallel: Parallel, findings: list[Finding]) -> None:
    """Do what is left of a survey; the finding of every class is added as soon as its files are on the disk.

    Raises:
        ValueError: the network cannot be explained, or files in the folder are of a newer version.
        OSError: the disk is full; what was finished before is kept.
    """
    survey.spray.check_parameters()
    todo = plan(survey)
    if any(not step.explained for step in todo.steps):
        _try_one(survey)
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


def _try_one(survey: Survey) -> None:
    """Explain one image, so that what cannot work for any is said once, before the long work."""
    explain, _ = survey.explainer
    explain(survey.example.to(survey.device), torch.zeros(1, dtype=torch.long, device=survey.device))


@dataclass
class _Run:
    survey: Survey
    findings: list[Finding]
    bars: Stages
    thumbnails: Thumbnails
    begun: dict[int, Path]  # folders of the classes that are handed in and not finished
    refused: Counter[str] = field(default_factory=Counter)  # why, and how many classes
    explaining: dict[int, float] = field(default_factory=dict)  # seconds, by label
    lock: threading.Lock = field(default_factory=threading.Lock)

    def do(self, steps: list[Step], parallel: Parallel) -> None:
        """Explain class after class and hand each to the workers; classes that are explained already go first."""
        parallel = parallel.at_most(len(steps))
        with Pool(parallel, cluster_class, self._done, self._given_up) as pool:
            for step in sorted(steps, key=lambda step: not step.explained):
                if step.explained or self._explain(step):
                    self.begun[step.label] = self.survey.files(step.label).folder
                    pool.submit(self._job(step, parallel))
        for reason, count in self.refused.items():
            if count > 1:
                CONSOLE.print(f"[yellow]not ranked:[/] {count - 1} more of {len(steps)} classes: {escape(reason)}")

    def _explain(self, step: Step) -> bool:
        """Write the heatmaps of a class; tell whether there is anything to cluster."""
        name, n = self.survey.classes[step.label], len(self.survey.subsets[step.label])
        began = time.perf_counter()
        self.bars.explaining(name)
        try:
            if n <= (neighbours := self.survey.spray.n_neighbors):
                self.bars.explained(n)
                raise ValueError(f"it has {n} samples; SpRAy expects more than n_neighbors={neighbours}")
            explain_class(self.survey, step.label, step.maps, self.bars.explained)
        except UnsupportedModelError:
            raise  # it holds for every class
        except NothingReadError as error:  # the next run tries again: the images may be there then
            self._add(Finding(step.label, name, refused=str(error)))
            return False
        except ValueError as error:
            finding = Finding(step.label, name, refused=str(error))
            save_finding(self.survey.files(step.label), finding, step.analysis)
            self._add(finding)
            return False
        self.explaining[step.label] = time.perf_counter() - began
        return True

    def _job(self, step: Step, parallel: Parallel) -> ClassJob:
        survey = self.survey
        return ClassJob(
            label=step.label,
            name=survey.classes[step.label],
            files=survey.files(step.label),
            key=step.analysis,
            spray=survey.spray,
            control=survey.control,
            names=survey.names,
            description=survey.meaning,
            subtitle=survey.subtitle,
            union=survey.split == "union",
            thumbnails=self.thumbnails,
            reference=reference_file(survey),
            seconds=self.explaining.get(step.label, 0.0),
            polite=parallel.elsewhere and torch.device(survey.device).type == "cpu",
        )

    def _done(self, job: ClassJob, result: Finding | OSError | Failure) -> None:
        if isinstance(result, OSError):
            raise result
        if isinstance(result, Failure):  # the next run tries again, since no finding is saved
            LOG.error("class %r failed; the others go on.\n%s", job.name, result.trace)
            result = Finding(job.label, job.name, refused=result.sentence)
        self._add(result)

    def _given_up(self, job: ClassJob, error: BaseException) -> None:
        """Report a class that has no result; since no finding is saved, the next run tries again."""
        what = "its worker died twice" if isinstance(error, BrokenExecutor) else "its worker could not do it"
        text = str(error).strip().splitlines()
        reason = f"{what} ({type(error).__name__}{f': {text[0][:200]}' if text else ''})"
        self._add(Finding(job.label, job.name, refused=reason))

    def _add(self, finding: Finding) -> None:
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
