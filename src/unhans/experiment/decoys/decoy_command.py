"""The analysis `decoys`: do networks go by an artifact that they were trained with, and from which coverage on?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.comparison import DecoyAnswers, DecoyStudy, DecoyTraining, study_decoys
from unhans.data import Files, draw_per_class
from unhans.data.sources import image_files
from unhans.effects import Case, Proof, decide
from unhans.experiment.decoys.decoy_answers import DecoyQuestion, answers_of
from unhans.experiment.decoys.decoy_runs import DecoyRun, DecoyTest, decoy_tests, joined_by_seed
from unhans.experiment.run import Subject
from unhans.report import progress
from unhans.report.figures.models import confusion_figure, dose_figure
from unhans.report.html import write_decoy_report
from unhans.report.loggers import log_once
from unhans.report.tables.models import alone_table, coverage_printed, decoy_scalars, decoy_table, decoy_tables
from unhans.report.text.models import decoy_sentences
from unhans.store import sweep, write_csv, write_figure
from unhans.terminal import CONSOLE, ConfigurationError

MOST_PRINTED = 8  # groups whose classes are listed in the terminal


def study_trainings(
    subject: Subject,
    runs: Sequence[DecoyRun],
    decoy_only: str | None = None,
    effect_samples: PositiveInt = 200,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Ask every training about the same validation images without its decoy, with it on all, and about it alone.

    Trainings that differ in the seed only are joined. What a network said is kept in the folder and taken again where
    nothing that it depends on has changed.

    Args:
        subject: the first run; `samples_per_class` bounds the validation images of a class.
        runs: every run with its own data; of one without an artifact, coverage 0, the decoys of the others are asked.
        decoy_only: a folder of images that show the decoy and no class; None: it is pasted on images of no class.
        effect_samples: validation images of other classes that its effect is measured on, at most.
        logger: gets the numbers, tables and pictures.

    Raises:
        ValueError: runs with several targets or other images, none with an artifact, or no images of the target.
    """
    tests = decoy_tests(runs)
    question = _question(subject, tests[0], decoy_only, effect_samples)
    began = time.perf_counter()
    with subject.closing(logger):
        subject.begin()
        sweep(subject.out)
        answers = []
        with progress(len(tests) * 2 * len(question.index)) as say:
            for number, test in enumerate(tests):
                found, changed = answers_of(number, test, replace(question, say=say))
                answers.append(found)
                for reason in changed:
                    CONSOLE.print(escape(f"Measured again: {test.run.name}: {reason}."))
        study = _study(tests, _decided(answers), question)
        _tell(study)
        pictures = _write(study, subject.out)
        CONSOLE.print(f"Asked {len(runs)} networks in {time.perf_counter() - began:.0f} s.")
        numbers = decoy_scalars(study)
        if logger:
            tables = {f"decoys/{name}": rows for name, rows in decoy_tables(study).items()}
            log_once([logger], numbers, {f"decoys/figures/{path.stem}": path for path in pictures}, tables)
    return numbers


def _question(subject: Subject, test: DecoyTest, decoy_only: str | None, samples: int) -> DecoyQuestion:
    images, classes = test.run.images, test.run.data.classes
    index = np.sort(np.concatenate([*draw_per_class(images.labels, subject.samples_per_class, subject.seed).values()]))
    names = [name for label, name in enumerate(classes) if (images.labels == label).any()]
    labels = np.array([names.index(classes[label]) for label in images.labels[index]])
    return DecoyQuestion(
        names, index, labels, None if decoy_only is None else _real(Path(decoy_only)), samples, subject.attribution,
        subject.device, subject.batch_size, subject.seed, (subject.out / "models").absolute(),
    )  # fmt: skip


def _real(folder: Path) -> Files:
    found = image_files(folder) if folder.is_dir() else []
    if not found:
        raise ConfigurationError(f"analysis.decoy_only expects a folder with images, got {folder}.")
    return Files(found)


def _decided(answers: Sequence[DecoyAnswers]) -> list[DecoyAnswers]:
    """All verdicts with one error rate over the networks."""
    cases = [Case(0, "", proof=Proof(0, "", (), (), each.verdict, (), ())) for each in answers]
    return [replace(each, verdict=case.proof.verdict) for each, case in zip(answers, decide(cases), strict=True)]


def _study(tests: Sequence[DecoyTest], answers: Sequence[DecoyAnswers], question: DecoyQuestion) -> DecoyStudy:
    trainings = [
        DecoyTraining(test.run.name, test.curve, test.coverage, test.carriers()[question.index], each)
        for test, each in zip(tests, answers, strict=True)
    ]
    groups = [[trainings[number] for number in group] for group in joined_by_seed(tests)]
    return study_decoys(groups, tests[0].target, question.names, question.labels)


def _tell(study: DecoyStudy) -> None:
    for group in study.groups[:MOST_PRINTED]:
        CONSOLE.print(decoy_table(study, group))
    if len(study.groups) > MOST_PRINTED:
        CONSOLE.print(f"and {len(study.groups) - MOST_PRINTED} more trainings; all are in decoys.csv.")
    for table in coverage_printed(study):
        CONSOLE.print(table)
    CONSOLE.print(alone_table(study))
    for sentence in decoy_sentences(study):
        CONSOLE.print(escape(sentence))


def _write(study: DecoyStudy, out: Path) -> list[Path]:
    """Write tables, figures and the report; return the pictures."""
    tables = {f"{name}.csv": rows for name, rows in decoy_tables(study).items()}
    for name, rows in tables.items():
        write_csv(out / name, *rows)
    pictures = [out / "dose_response.png", out / "confusion.png"]
    write_figure(pictures[0], dose_figure(study), dpi=150)
    write_figure(pictures[1], confusion_figure(study), dpi=150)
    write_decoy_report(out / "report.html", study, pictures, {name: out / name for name in tables})
    return pictures
