"""What becomes of the comparison of settings: tables, figures, sentences, and what loggers get."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.stability.stability_run import StabilityRun
from unhans.report import progress
from unhans.report.figures.quality import class_maps_figure, places_figure, stability_figure
from unhans.report.loggers import log_once
from unhans.report.tables import Rows
from unhans.report.tables.quality import fit_rows, holding_rows, map_rows, setting_rows, stability_table
from unhans.report.text.quality import holding_sentence, order_sentence, refused_sentence
from unhans.spray import (
    REFERENCE,
    ClassFit,
    ClassMaps,
    Holding,
    Measure,
    SettingAgreement,
    compare_settings,
    holding,
    map_class,
    places,
)
from unhans.store import write_csv, write_figure
from unhans.store.virelay import open_maps
from unhans.terminal import CONSOLE


@dataclass(frozen=True)
class StabilityResults:
    """All that was found.

    Attributes:
        run: with every fit.
        by: what orders the classes.
        first: how many count as the first.
        mapped: how many of these are laid out by several methods.
    """

    run: StabilityRun
    by: Measure
    first: int
    mapped: int = 0

    def conclude(self, logger: Logger | None) -> dict[str, float]:
        """Print and write everything; return the numbers that a sweep may optimise.

        Raises:
            ValueError: no class could be clustered with the reference.
        """
        refused = {(self.names[label], name): why for (label, name), why in self.run.refused().items()}
        if not self.fits[REFERENCE]:
            raise ValueError(f"no class could be clustered. {refused_sentence(refused)}")
        sentences = [self._sentence(one) for one in self.followed]
        CONSOLE.print(stability_table(self.found))
        for sentence in [order_sentence(self.found, self.by, len(self.fits[REFERENCE])), *sentences]:
            CONSOLE.print(escape(sentence))
        if refused:
            CONSOLE.print(f"[yellow]{escape(refused_sentence(refused))}[/]")
        tables, pictures = self._tables(sentences), self._pictures()
        for name, rows in tables.items():
            write_csv(self.run.survey.out / name, *rows)
        numbers = self._numbers()
        if logger:
            figures = {f"stability/{path.stem}": path for path in pictures}
            told = {f"stability/{name.removesuffix('.csv')}": rows for name, rows in tables.items()}
            log_once([logger], {f"stability/{name}": value for name, value in numbers.items()}, figures, told)
        return numbers

    @cached_property
    def fits(self) -> dict[str, dict[int, ClassFit]]:
        """By setting and label."""
        return self.run.fits()

    @cached_property
    def found(self) -> list[SettingAgreement]:
        """Every setting held against the reference."""
        return compare_settings(self.fits)

    @cached_property
    def followed(self) -> list[Holding]:
        """The findings of the first classes."""
        ranked = places(self.fits[REFERENCE], self.by)
        order = sorted(ranked, key=lambda label: ranked[label])[: self.first]
        return [holding(self.fits, REFERENCE, label, self.first, self.by) for label in order]

    @property
    def names(self) -> dict[int, str]:
        """Class names of the surveyed classes, by label."""
        return {label: self.run.survey.classes[label] for label in self.run.found}

    @cached_property
    def maps(self) -> dict[str, ClassMaps]:
        """The first classes by name, laid out; those without clusters are told and left out."""
        found, survey, labels = {}, self.run.survey, [one.label for one in self.followed[: self.mapped]]
        with progress(len(labels)) as say:
            for label in labels:
                name = self.names[label]
                try:
                    found[name] = map_class(self.run.settings[REFERENCE], open_maps(survey.files(label)).maps)
                except ValueError as error:
                    CONSOLE.print(f"[yellow]{escape(f'class {name} has no maps: {error}.')}[/]")
                say(f"laid out class {name}", 1)
        return found

    def _sentence(self, one: Holding) -> str:
        return holding_sentence(one, self.names[one.label], self.fits, REFERENCE, self.by, self.first)

    def _tables(self, sentences: list[str]) -> dict[str, Rows]:
        return {
            "stability_settings.csv": setting_rows(self.found),
            "stability_classes.csv": fit_rows(self.fits, self.run.refused(), self.names),
            "stability_findings.csv": holding_rows(self.followed, self.names, sentences),
        } | ({"stability_map_quality.csv": map_rows(self.maps)} if self.maps else {})

    def _pictures(self) -> list[Path]:
        out, subtitle = self.run.survey.out, self.run.survey.subtitle
        drawn = {
            out / "stability.png": stability_figure(self.found, subtitle),
            out / "stability_places.png": places_figure(self.fits, self.names, self.by, subtitle),
        } | ({out / "stability_maps.png": class_maps_figure(self.maps, subtitle)} if self.maps else {})
        for path, figure in drawn.items():
            write_figure(path, figure, dpi=150)
        return list(drawn)

    def _numbers(self) -> dict[str, float]:
        """The lowest agreement of the orders, and the share of settings over which the findings hold."""
        tried = sum(len(one.kept) + len(one.lost) for one in self.followed)
        held = sum(len(one.kept) for one in self.followed)
        return {
            "lowest_spearman": min(
                (one.orders[self.by] for one in self.found if one.orders[self.by] == one.orders[self.by]),
                default=float("nan"),
            ),
            "findings_held": held / tried if tried else float("nan"),
        }
