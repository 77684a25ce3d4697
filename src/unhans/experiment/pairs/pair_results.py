"""What becomes of measured pairs: tables, figures, a page, and what loggers get."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.effects import PairEffect, own_class_first, pair_effects, rank_of, softmax
from unhans.experiment.pairs.pair_run import MeasuredPairs, PairRun
from unhans.report.figures.quality import ShownPair, pair_figure
from unhans.report.html import write_pairs_page
from unhans.report.loggers import log_once
from unhans.report.tables import Rows
from unhans.report.tables.quality import pair_effect_rows, pair_table
from unhans.report.text import plain
from unhans.report.text.quality import (
    PAIRS_LIMITS,
    changed_sentences,
    pairs_heading,
    pairs_headline,
    pairs_sentences,
    pairs_setting,
)
from unhans.store import write_csv, write_figure
from unhans.terminal import CONSOLE

PAGE, ALL = "report.html", "all"
ON_A_PAGE = 6  # pairs
MOST_OF_ALL = 0.9  # share of the pixels from which on a pair differs in most of the image
NUMBERS = ("predicted", "p", "rank", "logit")


@dataclass(frozen=True)
class PairResults:
    """All that was found."""

    run: PairRun
    found: MeasuredPairs

    @cached_property
    def effects(self) -> dict[str, list[PairEffect]]:
        """Of all pairs, then, where there are several classes, of each by its name."""
        answers, seed = self.found.answers, self.run.subject.seed
        effects = {ALL: pair_effects(answers, seed)}
        labels = np.unique(answers.targets).tolist()
        if len(labels) > 1:
            effects |= {self._name(one): pair_effects(answers.take(answers.targets == one), seed) for one in labels}
        return effects

    def conclude(self, shown: list[ShownPair], logger: Logger | None) -> dict[str, float]:
        """Print and write everything; return the numbers that a sweep may optimise."""
        out = self.run.subject.out
        tables = {"effects.csv": pair_effect_rows(self.effects), "pairs.csv": self._rows()}
        for name, rows in tables.items():
            write_csv(out / name, *rows)
        sentences = self._sentences()
        CONSOLE.print(pair_table(self.effects))
        for sentence in (*sentences, pairs_headline(self.effects[ALL]) + ".", PAIRS_LIMITS):
            CONSOLE.print(escape(sentence))
        pictures = self._pictures(shown)
        write_pairs_page(out / PAGE, sentences, self.effects, pictures, {name: out / name for name in tables})
        numbers = self._numbers()
        if logger:
            figures = {f"pairs/figures/{path.stem}": path for path in pictures.values()}
            log_once([logger], numbers, figures, {f"pairs/{Path(name).stem}": rows for name, rows in tables.items()})
        return numbers

    def _name(self, label: int) -> str:
        return str(self.run.bench.classes[label])

    def _sentences(self) -> list[str]:
        answers, changed = self.found.answers, self.found.changed
        labels = np.unique(answers.targets)
        name = self._name(int(labels[0])) if len(labels) == 1 else None
        left = len(self.run.pairs.before) - len(self.found.rows)
        return [
            pairs_setting(len(answers.targets), int(answers.controlled.sum()), name, left),
            *pairs_sentences(self.effects[ALL], self.run.pairs.labels is None),
            *changed_sentences(
                int((changed == 0).sum()), int((changed > MOST_OF_ALL).sum()), self.run.pairs.ignored
            ),
        ]  # fmt: skip

    def _rows(self) -> Rows:
        """A row for every pair."""
        answers, pairs = self.found.answers, self.run.pairs
        kinds = {"before": answers.before, "after": answers.after, "control": answers.control}
        own = {kind: own_class_first(logits, answers.targets) for kind, logits in kinds.items()}
        rows = []
        for place, row in enumerate(self.found.rows.tolist()):
            files = (pairs.before[row], pairs.after[row], pairs.control[row])
            numbers = []
            for kind, logits in kinds.items():
                mine = own[kind][place : place + 1]
                known = np.isfinite(mine).all()
                predicted = self._name(int(logits[place].argmax())) if known else None
                rank = int(rank_of(mine, 0)[0]) if known else None
                p = float(softmax(mine)[0, 0]) if known else None
                numbers += [predicted, p, rank, plain(mine[0, 0])]
            name = self._name(int(answers.targets[place]))
            rows.append((*(path and str(path) for path in files), name, *numbers, float(self.found.changed[place])))
        columns = [f"{number}_{kind}" for kind in kinds for number in NUMBERS]
        return Rows([*kinds, "class", *columns, "changed_pixels"], rows)

    def _pictures(self, shown: list[ShownPair]) -> dict[str, Path]:
        """Draw the pairs; return the files by their heading."""
        found, how = {}, self.run.subject.attribution.description
        for number, start in enumerate(range(0, len(shown), ON_A_PAGE)):
            heading = pairs_heading(start, min(start + ON_A_PAGE, len(shown)), len(shown), len(self.found.rows))
            path = self.run.subject.out / "figures" / f"pairs_{number}.jpg"
            write_figure(path, pair_figure(shown[start : start + ON_A_PAGE], heading, f"{how}."), dpi=150)
            found[heading] = path
        return found

    def _numbers(self) -> dict[str, float]:
        names = ("change", "control", "beyond_control")
        return {
            f"pairs/{name}/{key}": value
            for name, one in zip(names, self.effects[ALL], strict=False)
            for key, value in (("delta_p", one.effect.probability), ("became", one.effect.share), ("lost", one.lost))
        }
