"""What becomes of context ratios: tables, figures, a page, and what loggers get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.attribution import picture
from unhans.experiment.compare import Asked
from unhans.experiment.context.context_run import ContextRun
from unhans.faithfulness import (
    AccuracyRelation,
    ContextRatios,
    ContextSummary,
    CoOccurrence,
    difference_of_context,
    relate_to_accuracy,
    summarise_classes,
    summarise_context,
)
from unhans.report.figures.quality import (
    ContextExample,
    co_occurrence_figure,
    context_accuracy_figure,
    context_figure,
    context_gallery,
)
from unhans.report.html import write_context_page
from unhans.report.loggers import log_once, logger_keys
from unhans.report.tables import Rows
from unhans.report.tables.quality import (
    by_context,
    co_occurrence_rows,
    context_class_rows,
    context_image_rows,
    context_rows,
    context_table,
    difference_rows,
    highest_first,
)
from unhans.report.text.quality import (
    CONTEXT_LIMITS,
    accuracy_sentence,
    annotation_sentences,
    context_setting,
    counts_sentence,
    difference_sentence,
    model_sentence,
    mu_said,
    together_sentence,
)
from unhans.stats import Estimate
from unhans.store import file_stem, write_csv, write_figure
from unhans.terminal import CONSOLE

PAGE = "report.html"
MOST_DRAWN = 10  # classes of a gallery, those with most context


@dataclass(frozen=True)
class ContextResults:
    """All that was found.

    Attributes:
        run: what was measured, and where it is kept.
        examples: images of a class that a gallery shows, at most.
    """

    run: ContextRun
    examples: int

    def conclude(self, logger: Logger | None) -> dict[str, float]:
        """Print and write everything; return the numbers that a sweep may optimise."""
        out, tables = self.run.subject.out, self._tables()
        for name, rows in tables.items():
            write_csv(out / name, *rows)
        sentences = self._sentences()
        self._tell(sentences)
        pictures = self._pictures(sentences[0])
        downloads = {name: out / name for name in tables}
        write_context_page(out / PAGE, sentences, self.models, self.named, pictures, downloads)
        numbers = self._numbers()
        if logger:
            logged = {f"context/{Path(name).stem}": rows for name, rows in tables.items() if name != "images.csv"}
            figures = {f"context/figures/{path.stem}": path for path in pictures.values()}
            log_once([logger], {f"context/{key}": value for key, value in numbers.items()}, figures, logged)
        return numbers

    @cached_property
    def found(self) -> dict[str, ContextRatios]:
        """What was measured, by model."""
        return self.run.measures()

    @cached_property
    def models(self) -> dict[str, ContextSummary]:
        """Over all images of each model."""
        return {name: summarise_context(each, self.run.subject.seed) for name, each in self.found.items()}

    @cached_property
    def classes(self) -> dict[str, dict[int, ContextSummary]]:
        """By model and label."""
        return {name: summarise_classes(each, self.run.subject.seed) for name, each in self.found.items()}

    @cached_property
    def named(self) -> dict[str, dict[str, ContextSummary]]:
        """By model and the name of the class."""
        names = self.names
        return {name: {names[label]: one for label, one in each.items()} for name, each in self.classes.items()}

    @cached_property
    def relations(self) -> dict[str, AccuracyRelation]:
        """Context against accuracy, by model."""
        return {name: relate_to_accuracy(each, self.run.subject.seed) for name, each in self.classes.items()}

    @cached_property
    def differences(self) -> dict[str, Estimate]:
        """Of every other model to the first."""
        first, *others = self.found
        seed = self.run.subject.seed
        return {name: difference_of_context(self.found[name], self.found[first], seed) for name in others}

    @cached_property
    def together(self) -> CoOccurrence | None:
        """Which classes are shown together; None where no image shows two."""
        found = self.run.images.shown_together()
        return found if (found.counts.sum() > np.trace(found.counts)) else None

    @property
    def names(self) -> Sequence[str]:
        """The names of the classes."""
        return self.run.images.samples.names

    def _tables(self) -> dict[str, Rows]:
        tables = {
            "context.csv": context_rows(self.models),
            "classes.csv": context_class_rows(self.named),
            "images.csv": context_image_rows(self.found, self.names, self.run.images.paths),
        }
        if self.differences:
            tables["differences.csv"] = difference_rows(next(iter(self.found)), self.differences)
        if self.together is not None:
            tables["co_occurrence.csv"] = co_occurrence_rows(self.together)
        return tables

    def _sentences(self) -> list[str]:
        """The first says what was measured, the last ones what it means."""
        run, several = self.run, len(self.found) > 1
        images, subject = run.images, run.subject
        file = f"{images.file.option}={images.file.path.name}"
        method, count = subject.attribution.description, len(images.samples.index)
        told = [context_setting(list(self.found), count, subject.split, len(run.labels), method, file)]
        told += annotation_sentences(images.beyond, images.rescaled, images.without)
        counts = {name: counts_sentence(one.counts, run.most) for name, one in self.models.items()}
        same = len(set(counts.values())) == 1
        told += [next(iter(counts.values()))] if same else [f"{name}: {text}" for name, text in counts.items()]
        told += [model_sentence(name, one, self.named[name], several) for name, one in self.models.items()]
        told += [difference_sentence(next(iter(self.found)), *each) for each in self.differences.items()]
        told += [accuracy_sentence(name, one, several) for name, one in self.relations.items()]
        return told + ([together_sentence(self.together)] if self.together is not None else [])

    def _tell(self, sentences: Sequence[str]) -> None:
        for name, classes in self.named.items():
            CONSOLE.print(context_table(name if len(self.named) > 1 else "", self.models[name], classes))
        for sentence in (*sentences, CONTEXT_LIMITS):
            CONSOLE.print(escape(sentence))

    def _pictures(self, subtitle: str) -> dict[str, Path]:
        """Draw everything; return the files by their heading."""
        folder = self.run.subject.out / "figures"
        files = {"Context by class": folder / "context.png"}
        order = by_context(next(iter(self.named.values())))
        write_figure(files["Context by class"], context_figure(self.named, order, subtitle), dpi=150)
        if any(each.line is not None for each in self.relations.values()):
            files["Context and accuracy"] = folder / "accuracy.png"
            said = {name: accuracy_sentence(name, one, len(self.found) > 1) for name, one in self.relations.items()}
            write_figure(
                files["Context and accuracy"], context_accuracy_figure(self.relations, self.names, said), dpi=150
            )
        if self.together is not None:
            files["Shown together"] = folder / "co_occurrence.png"
            write_figure(files["Shown together"], co_occurrence_figure(self.together, subtitle), dpi=150)
        for one in self.run.asked if self.examples else ():
            rows = dict(self._gallery(one))
            if rows:
                heading = f"Images with most context{f': {one.model.name}' if len(self.found) > 1 else ''}"
                files[heading] = folder / f"highest-{file_stem(one.number, one.model.name)}.jpg"
                write_figure(files[heading], context_gallery(rows, heading, subtitle), dpi=150)
        return files

    def _gallery(self, one: Asked) -> Iterator[tuple[str, list[ContextExample]]]:
        """Give the images with the highest μ of each of the classes with most context."""
        found, classes = self.found[one.model.name], self.classes[one.model.name]
        for label in by_context(classes)[:MOST_DRAWN]:
            own = found.take((found.labels == label) & (found.mu > 0))
            rows = highest_first(own)[: self.examples]
            if rows:
                mu = mu_said(classes[label].median.value)
                yield f"{self.names[label]} (median μ {mu})", [self._example(one, own, row) for row in rows]

    def _example(self, one: Asked, found: ContextRatios, row: int) -> ContextExample:
        image, heatmap, region = self.run.heatmap(one, int(found.index[row]), int(found.labels[row]))
        numbers = float(found.mu[row]), float(found.inside[row]), bool(found.correct[row])
        return ContextExample(picture(image), heatmap, region, *numbers)

    def _numbers(self) -> dict[str, float]:
        models, classes = logger_keys({name: name for name in self.found}), logger_keys(dict(enumerate(self.names)))
        numbers = {}
        for name, one in self.models.items():
            end = f"/{models[name]}" if len(models) > 1 else ""
            numbers |= {f"log_mu{end}": one.median.value, f"inside{end}": one.inside.mean}
            numbers |= {f"rank_correlation{end}": self.relations[name].correlation.rho}
            numbers |= {
                f"log_mu/{classes[label]}{end}": each.median.value for label, each in self.classes[name].items()
            }
        return {key: value for key, value in numbers.items() if np.isfinite(value)}
