"""What becomes of the measures: tables, figures, a page, and what loggers get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.attribution import picture
from unhans.data import paths_of
from unhans.experiment.faithfulness.faithfulness_run import ClassImages, FaithfulnessRun
from unhans.faithfulness import MethodMeasures, MethodSummary, RandomizedStep, estimate_mean, summarise
from unhans.report.figures.quality import (
    PerturbedStrip,
    changes_figure,
    labels_figure,
    perturbation_figure,
    sanity_figure,
    strip_figure,
)
from unhans.report.html import write_faithfulness_page
from unhans.report.loggers import log_once, logger_keys
from unhans.report.tables import Rows
from unhans.report.tables.quality import (
    class_rows,
    class_summaries,
    curve_rows,
    faithfulness_table,
    image_rows,
    label_rows,
    method_rows,
    sanity_rows,
)
from unhans.report.text import shorten
from unhans.report.text.quality import (
    LABELS_READING,
    ORDER_NAMES,
    TARGETS,
    ahead_sentence,
    class_sentence,
    label_sentence,
    method_sentence,
    permuted_sentence,
    sanity_sentence,
    setting_sentence,
)
from unhans.stats import Estimate
from unhans.store import file_stem, write_csv, write_figure
from unhans.terminal import CONSOLE

PAGE = "faithfulness.html"
SHOWN = 6  # numbers of steps in a strip


@dataclass(frozen=True)
class LabelChecks:
    """Heatmaps held against those of a network that was trained on permuted labels.

    Attributes:
        steps: by method, how similar they are to those of that network and of an untrained one.
        learned: share of the permuted labels that it has learned; None where these are not known.
    """

    steps: Mapping[str, Sequence[RandomizedStep]]
    learned: Estimate | None


@dataclass(frozen=True)
class FaithfulnessResults:
    """All that was found.

    Attributes:
        run: what was measured, and where it is kept.
        checks: by method, heatmaps of randomised networks; empty where none were asked for.
        labels: the check with permuted labels, where it was asked for.
    """

    run: FaithfulnessRun
    checks: Mapping[str, Sequence[RandomizedStep]]
    labels: LabelChecks | None = None

    def conclude(self, examples: int, logger: Logger | None) -> dict[str, float]:
        """Print and write everything; return the numbers that a sweep may optimise.

        Args:
            examples: images that are drawn while they are perturbed, at most.
            logger: gets the numbers, the tables and the pictures.
        """
        out, classes = self.run.subject.out, self.run.subject.data.classes
        random, methods, labels = self.measured
        by_class = self.by_class
        tables = {
            "faithfulness.csv": method_rows(self.summaries),
            "curves.csv": curve_rows(self.summaries),
            "classes.csv": class_rows(by_class, classes, methods, labels),
            "images.csv": image_rows(methods, random, labels, classes, paths_of(self.run.subject.dataset)),
        }
        tables |= {"sanity.csv": sanity_rows(self.checks)} if self.checks else {}
        tables |= {"labels.csv": label_rows(self.labels.steps)} if self.labels else {}
        for name, rows in tables.items():
            write_csv(out / name, *rows)
        sentences = self._sentences()
        self._tell(sentences)
        pictures = self._pictures(examples)
        downloads = {name: out / name for name in tables}
        names = logger_keys(self.run.subject.classes)
        told = {(names[label], method): one for (label, method), one in by_class.items()}
        write_faithfulness_page(out / PAGE, sentences, self.summaries, told, pictures, downloads)
        CONSOLE.print(f"The page with all of it is [bold]{escape(str(out / PAGE))}[/]")
        numbers = self._numbers()
        if logger:
            self._log(logger, numbers, pictures, tables)
        return numbers

    @cached_property
    def measured(self) -> tuple[MethodMeasures, dict[str, MethodMeasures], NDArray[np.int64]]:
        """Random order, every method, and the labels of their images."""
        return self.run.measures()

    @cached_property
    def summaries(self) -> list[MethodSummary]:
        """Of every method; the first is the chosen one."""
        random, methods, _ = self.measured
        first = next(iter(methods.values()))
        given = (random.curves["random"], first, self.possible, self.run.subject.seed)
        return [summarise(name, one, *given) for name, one in methods.items()]

    @cached_property
    def by_class(self) -> dict[tuple[int, str], Estimate]:
        """AOPC minus random by label and method."""
        random, methods, labels = self.measured
        return class_summaries(methods, random, labels, self.possible)

    @property
    def possible(self) -> float:
        """The largest size of a difference of scores."""
        return 1.0 if self.run.perturbation.of == "probability" else np.inf

    def _sentences(self) -> list[str]:
        run, (first, *others) = self.run, self.summaries
        regions = run.perturbation.grid(run.subject.size).count
        told = [method_sentence(one) for one in self.summaries]
        told += [ahead_sentence(first, others)] if others else []
        names, order = run.subject.classes, next(iter(first.minus_random))
        of_class = {names[label]: one for (label, name), one in self.by_class.items() if name == first.name}
        told += [class_sentence(first.name, of_class, order)] if len(of_class) > 1 else []
        told += [sanity_sentence(name, steps) for name, steps in self.checks.items()]
        if self.labels:
            told += [permuted_sentence(self.labels.learned)]
            told += [*(label_sentence(name, steps) for name, steps in self.labels.steps.items()), LABELS_READING]
        return [setting_sentence(run.perturbation, regions, run.target, first.n), *told]

    def _tell(self, sentences: Sequence[str]) -> None:
        CONSOLE.print(faithfulness_table(self.summaries))
        for sentence in sentences:
            CONSOLE.print(escape(sentence))

    def _pictures(self, examples: int) -> dict[str, Path]:
        """Draw everything; return the files by their heading."""
        folder, run = self.run.subject.out / "figures", self.run
        random, _, _ = self.measured
        subtitle = self._sentences()[0]
        changed = random.curves["random"].changed_share
        files = {"Curves": folder / "faithfulness.png"}
        write_figure(
            files["Curves"], perturbation_figure(self.summaries, changed, run.perturbation.of, subtitle), dpi=150
        )
        files["When predictions change"] = folder / "changes.png"
        figure = changes_figure(self.summaries, random.curves["random"], run.orders[0], subtitle)
        write_figure(files["When predictions change"], figure, dpi=150)
        if self.checks:
            files["Random layers"] = folder / "sanity.png"
            write_figure(files["Random layers"], sanity_figure(_estimated(self.checks)), dpi=150)
        if self.labels:
            files["Permuted labels"] = folder / "labels.png"
            write_figure(files["Permuted labels"], labels_figure(_estimated(self.labels.steps)), dpi=150)
        for name, strips, subtitle in self._strips(examples):
            path = folder / f"{name}.jpg"
            title = f"The image, while what is most relevant goes {'first' if run.orders[0] == 'morf' else 'last'}"
            write_figure(path, strip_figure(strips, self._steps, title, subtitle), dpi=150)
            files[f"Example: {name}"] = path
        return files

    @property
    def _steps(self) -> list[int]:
        """Numbers of steps that a strip shows: ever further apart."""
        last = self.run.perturbation.steps
        found = [0, *(round(last * (i / (SHOWN - 1)) ** 2) for i in range(1, SHOWN))]
        return sorted(set(found))

    def _strips(self, examples: int) -> Iterator[tuple[str, list[PerturbedStrip], str]]:
        """Give the file name, the strips of all methods, and a subtitle, of an image of each of the first classes."""
        run, classes = self.run, self.run.subject.data.classes
        for label in list(run.chosen)[:examples]:
            read = run.read(label, run.chosen[label][:1])
            if read is not None:
                strips = [self._strip(name, read) for name in run.methods]
                target = classes[int(read.targets[0])]
                said = (
                    f"Class {shorten(classes[label], 40)}, {run.perturbation.of} of {shorten(target, 40)} below each "
                    f"image, {ORDER_NAMES[run.orders[0]]}; heatmaps for {TARGETS[run.target]}"
                )
                yield f"{file_stem(int(read.index[0]), classes[label])}", strips, said

    def _strip(self, name: str, read: ClassImages) -> PerturbedStrip:
        run, shown = self.run, self._steps
        maps = run.heatmaps(name, read)
        orders = run.perturbation.orders(maps, read.images, run.orders[0])[:1]
        perturbed, steps = run.perturbation.perturbed(read.images, orders, 0, run.valid, run.pool)
        rows = torch.zeros(len(shown), dtype=torch.int64, device=steps.device)
        images = perturbed(rows, steps[rows] <= torch.tensor(shown, device=steps.device)[:, None, None])
        scores = run.perturbation.curves(
            run.subject.network, read.images, read.targets, orders, run.valid, run.pool
        ).scores[0, 0, shown]
        pictures = [picture(one) for one in run.subject.dataset.scale.to_display(images.cpu())]
        return PerturbedStrip(name, maps[0], pictures, scores.tolist())

    def _numbers(self) -> dict[str, float]:
        names = logger_keys({one.name: one.name for one in self.summaries})
        numbers = {}
        for one in self.summaries:
            numbers |= {f"minus_random/{order}/{names[one.name]}": e.mean for order, e in one.minus_random.items()}
            numbers |= {f"aopc/{order}/{names[one.name]}": e.mean for order, e in one.aopc.items()}
            measures: Mapping[str, Estimate] = one.measures
            numbers |= {f"{key}/{names[one.name]}": e.mean for key, e in measures.items() if not np.isnan(e.mean)}
        return numbers

    def _log(
        self, logger: Logger, numbers: Mapping[str, float], pictures: Mapping[str, Path], tables: Mapping[str, Rows]
    ) -> None:
        logged = {f"faithfulness/{Path(name).stem}": rows for name, rows in tables.items() if name != "images.csv"}
        figures = {f"faithfulness/{heading}": path for heading, path in pictures.items()}
        log_once([logger], {f"faithfulness/{key}": value for key, value in numbers.items()}, figures, logged)


def _estimated(checks: Mapping[str, Sequence[RandomizedStep]]) -> dict[str, list[tuple[RandomizedStep, Estimate]]]:
    """Every step with the mean of its correlations of |R|."""
    return {name: [(step, estimate_mean(step.absolute, 0, 1.0)) for step in steps] for name, steps in checks.items()}
