"""What becomes of the answers: tables, figures, a page, and what loggers get."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.attribution import picture
from unhans.comparison import OTHER, UNASKED, UNREAD, SwapImages, SwapRow, SwapStudy, study_swap
from unhans.data import display_images, read_samples
from unhans.experiment.compare import twins_of
from unhans.experiment.swap.swap_run import SwapAnswers, SwapRun
from unhans.experiment.swap.swap_variants import FOLD, SwapNetwork
from unhans.report.figures.models import (
    SwapExample,
    swap_bars,
    swap_confusions,
    swap_figure,
    swap_labels,
    swap_sheet,
)
from unhans.report.html import write_swap_page
from unhans.report.loggers import log_once
from unhans.report.tables import Rows
from unhans.report.tables.models import ANOTHER, swap_scalars, swap_table, swap_tables
from unhans.report.text import shorten
from unhans.report.text.models import rows_name, swap_sentences, swap_setting
from unhans.store import file_stem, write_csv, write_figure
from unhans.terminal import CONSOLE

PAGE = "swap.html"


@dataclass(frozen=True)
class SwapResults:
    """All that was found.

    Attributes:
        run: networks, variants and images.
        answers: by network and variant.
        trained: the variant of each network's training; None where it is none.
        order: the place of every class; None where they have no order.
    """

    run: SwapRun
    answers: Sequence[Mapping[str, SwapAnswers]]
    trained: Sequence[str | None]
    order: Sequence[int] | None

    @cached_property
    def study(self) -> SwapStudy:
        """Trained-on × tested-on."""
        sample = self.run.sample
        images = {name: SwapImages(sample.labels[name], sample.paired[name]) for name in self.run.swap.variants}
        return study_swap(self._rows(), images, self.run.swap.names, self.order)

    def conclude(self, examples: int, logger: Logger | None) -> dict[str, float]:
        """Print and write everything; return the numbers that a sweep may optimise."""
        out, swap, sample = self.run.swap.subject.out, self.run.swap, self.run.sample
        tables = swap_tables(self.study) | {"labels": self._label_rows(), "images": self._image_rows()}
        for name, rows in tables.items():
            write_csv(out / f"{name}.csv", *rows)
        n = {name: len(index) for name, index in sample.index.items()}
        left = sample.seen, sample.absent
        setting = swap_setting(len(swap.networks), n, swap.subject.split, swap.crops, *left, len(swap.folds))
        sentences = [setting, *swap_sentences(self.study)]
        CONSOLE.print(swap_table(self.study))
        for sentence in sentences:
            CONSOLE.print(escape(sentence))
        pictures = {"Accuracy": out / "figures" / "swap.png"}
        write_figure(pictures["Accuracy"], swap_figure(self.study, setting), dpi=150)
        pictures |= self._charts(setting)
        pictures |= self._sheets(examples)
        downloads = {f"{name}.csv": out / f"{name}.csv" for name in tables}
        write_swap_page(out / PAGE, self.study, sentences, pictures, downloads)
        CONSOLE.print(f"The page with all of it is [bold]{escape(str(out / PAGE))}[/]")
        numbers = swap_scalars(self.study)
        if logger:
            told = {f"swap/{name}": rows for name, rows in tables.items() if name != "images"}
            log_once([logger], numbers, {f"swap/{heading}": path for heading, path in pictures.items()}, told)
        return numbers

    def _charts(self, setting: str) -> dict[str, Path]:
        """Draw what is said of all rows; return the files by their heading."""
        folder = self.run.swap.subject.out / "figures"
        figures = {
            "Accuracy as bars": ("bars.png", swap_bars(self.study, setting)),
            "Confusions": ("confusion.png", swap_confusions(self.study, setting)),
            "Labels": ("labels.png", swap_labels(self._label_counts(), self.run.swap.names, setting)),
        }
        found = {heading: (folder / name, figure) for heading, (name, figure) in figures.items() if figure is not None}
        for path, figure in found.values():
            write_figure(path, figure, dpi=150)
        return {heading: path for heading, (path, _) in found.items()}

    def _label_counts(self) -> dict[str, list[int]]:
        """How many images each class has: of the variants, and of the networks' trainings; equal ones are one."""
        swap, sets = self.run.swap, {}
        for variant in swap.variants:
            counts = np.bincount(self.run.sample.labels[variant], minlength=len(swap.names))
            sets.setdefault(("tested", *counts.tolist()), []).append(variant)
        for one in swap.networks:
            labels = one.data.train_set.labels
            counts = np.bincount(labels[labels >= 0], minlength=len(one.data.classes))
            own = [int(counts[list(one.data.classes).index(name)]) for name in swap.names]
            sets.setdefault(("trained", *own), []).append(one.name)
        return {f"{kind} on: {', '.join(names)}": counts for (kind, *counts), names in sets.items()}

    def _label_rows(self) -> Rows:
        rows = [
            (name, each, count)
            for name, counts in self._label_counts().items()
            for each, count in zip(self.run.swap.names, counts, strict=True)
        ]
        return Rows(["images", "class", "n"], rows)

    def _rows(self) -> list[SwapRow]:
        """Every network, then the mean over those that differ in the seed only, and over the folds of one kind."""
        networks = self.run.swap.networks
        twins = {frozenset(pair) for pair in twins_of({one.name: one.settings for one in networks})}
        seeds = self._alike(lambda one, other: frozenset((one.name, other.name)) in twins)
        folds = self._alike(_are_folds)
        rows = [self._row([number]) for number in range(len(networks))] + [self._row(group) for group in seeds]
        return rows + [self._row(group, self._fold_ratio(group)) for group in folds]

    def _alike(self, test: Callable[[SwapNetwork, SwapNetwork], bool]) -> list[list[int]]:
        """Networks by number that a test calls alike, and that were trained on one variant; at least two."""
        networks, groups = self.run.swap.networks, []
        for number, one in enumerate(networks):
            group = next((each for each in groups if test(networks[each[0]], one)), None)
            if group is None or self.trained[group[0]] != self.trained[number]:
                groups.append([number])
            else:
                group.append(number)
        return [group for group in groups if len(group) > 1]

    def _fold_ratio(self, group: Sequence[int]) -> float:
        """Validation images for each training image, on average over the folds."""
        parts = [self.run.swap.networks[number].data for number in group]
        return float(np.mean([len(one.val_set) / len(one.train_set) for one in parts]))

    def _row(self, group: Sequence[int], fold_ratio: float | None = None) -> SwapRow:
        names = [self.run.swap.networks[number].name for number in group]
        name = names[0] if len(names) == 1 else rows_name(names, fold_ratio is not None)
        predictions = [{key: each.predicted for key, each in self.answers[number].items()} for number in group]
        return SwapRow(name, self.trained[group[0]], names, predictions, fold_ratio)

    def _image_rows(self) -> Rows:
        sample, names = self.run.sample, {OTHER: ANOTHER, UNREAD: None} | dict(enumerate(self.run.swap.names))
        rows = []
        for network, answers in zip(self.run.swap.networks, self.answers, strict=True):
            for variant, each in answers.items():
                given = (sample.paths[variant], sample.labels[variant], each.predicted, each.probability)
                for path, label, predicted, p in zip(*given, strict=True):
                    if predicted == UNASKED:
                        continue
                    said = names[int(label)], names[int(predicted)], None if np.isnan(p) else float(p)
                    rows.append((network.name, variant, path, *said))
        return Rows(["model", "tested_on", "path", "class", "predicted", "probability"], rows)

    def _sheets(self, examples: int) -> dict[str, Path]:
        """Draw heatmaps of the images that the swap changes most; return the files by their heading."""
        found = {}
        for place in self._changed()[:examples]:
            label = int(self.run.sample.labels[self.run.swap.first][place])
            name = self.run.swap.names[label]
            path = self.run.swap.subject.out / "figures" / f"{file_stem(place, name)}.jpg"
            drawn = self._example(place, label)
            if drawn is None:
                continue
            how = self.run.swap.subject.attribution.description
            write_figure(path, swap_sheet(drawn, f"An image of class {shorten(name, 40)}", f"{how}."), dpi=150)
            found[f"Image {place}, class {name}"] = path
        return found

    def _changed(self) -> list[int]:
        """Places of the first variant's images by the probability that their label loses, one of each class first."""
        variants = [name for name in self.run.swap.variants if self.run.sample.paired[name]]
        losses = []
        for answers, own in zip(self.answers, self.trained, strict=True):
            base = own if own in variants else variants[0]
            losses += [answers[base].probability - answers[each].probability for each in variants if each != base]
        if not losses:
            return []
        most = np.nan_to_num(np.array(losses), nan=-2).max(0)
        ranked = np.argsort(-most, kind="stable")
        _, firsts = np.unique(self.run.sample.labels[self.run.swap.first][ranked], return_index=True)
        first = np.sort(firsts)
        return [int(place) for place in ranked[np.concatenate([first, np.setdiff1d(np.arange(len(ranked)), first)])]]

    def _example(self, place: int, label: int) -> SwapExample | None:
        """An image under all variants that have it; None where it cannot be read under one."""
        swap = self.run.swap
        variants = [name for name in swap.variants if self.run.sample.paired[name]]
        images, maps, said = {}, {}, {}
        for number, network in enumerate(swap.networks):
            if self.answers[number][variants[0]].predicted[place] == UNASKED:
                continue
            maps[network.name], said[network.name] = {}, {}
            for variant, image in self._read(number, place, variants):
                if not len(image):
                    return None
                dataset = swap.images(network, variant, crops=1)
                images.setdefault(variant, picture(display_images(dataset, image)[0]))
                own = list(network.data.classes).index(swap.names[label])
                explain = swap.subject.attribution.of(network.network)
                target = torch.tensor([own], device=swap.subject.device)
                maps[network.name][variant] = explain(image.to(swap.subject.device), target).maps[0].cpu().numpy()
                said[network.name][variant] = self._said(number, variant, place)
        return SwapExample(images, maps, said)

    def _read(self, number: int, place: int, variants: Sequence[str]) -> Iterator[tuple[str, torch.Tensor]]:
        for variant in variants:
            dataset = self.run.swap.images(self.run.swap.networks[number], variant, crops=1)
            yield variant, read_samples(dataset, self.run.sample.index[variant][place : place + 1])[0]

    def _said(self, number: int, variant: str, place: int) -> str:
        answers = self.answers[number][variant]
        at = int(answers.predicted[place])
        name = "another class" if at < 0 else self.run.swap.names[at]
        return f"→ {shorten(name, 14)}; label {100 * answers.probability[place]:.0f} %"


def _are_folds(one: SwapNetwork, other: SwapNetwork) -> bool:
    """Whether two networks were trained alike, and validated on other images."""
    if not (one.settings and other.settings) or one.fold == other.fold:
        return False
    kinds = []
    for each in (one, other):
        data = {key: value for key, value in (each.settings.get("data") or {}).items() if key not in FOLD}
        kinds.append(dict(each.settings) | {"data": data})
    return kinds[0] == kinds[1]
