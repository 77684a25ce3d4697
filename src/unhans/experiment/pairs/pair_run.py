"""What the network says about pairs of pictures, and the pairs that are shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution import picture
from unhans.data import ImageDataset
from unhans.effects import Bench, PairAnswers, softmax
from unhans.effects.interventions import choose
from unhans.experiment.pairs.pair_files import PairFiles
from unhans.experiment.run import Subject
from unhans.report import Say
from unhans.report.figures.quality import ShownPair, ShownPicture

CHANGED = 0.02  # of [0, 1]: a pixel that differs by more is changed
KINDS = ("before", "after", "control")


@dataclass(frozen=True)
class MeasuredPairs:
    """The pairs whose pictures could all be read.

    Attributes:
        rows: (n,) which of the given pairs.
        answers: what the network says about them.
        changed: (n,) the share of the pixels, as the network sees them, that differ.
        unread: files that could not be read.
    """

    rows: NDArray[np.int64]
    answers: PairAnswers
    changed: NDArray[np.float64]
    unread: list[str]


@dataclass(frozen=True)
class PairRun:
    """Reads pairs as the data's own images are read, and asks the network."""

    subject: Subject
    pairs: PairFiles

    @property
    def count(self) -> int:
        """How many pictures are looked at."""
        return 2 * len(self.pairs.before) + sum(path is not None for path in self.pairs.control)

    @cached_property
    def dataset(self) -> ImageDataset:
        """All pictures: those before, those after, then the controls, that before in place of one that is not there."""
        pairs = self.pairs
        filled = [own or first for own, first in zip(pairs.control, pairs.before, strict=True)]
        return self.subject.splits["val"].of_files([*pairs.before, *pairs.after, *filled])

    @cached_property
    def bench(self) -> Bench:
        """The network, on these pictures."""
        return self.subject.bench(self.dataset)

    def measure(self, say: Say) -> MeasuredPairs:
        """Predict all pictures; pairs of which one cannot be read are left out.

        Raises:
            ValueError: no pair is left.
        """
        n, size = len(self.pairs.before), self.subject.batch_size
        parts = [self._batch(np.arange(start, min(start + size, n)), say) for start in range(0, n, size)]
        rows = np.concatenate([part[0] for part in parts])
        if not len(rows):
            raise ValueError(f"analysis=pairs expects pictures that can be read, got none in {n} pairs.")
        logits, changed = (np.concatenate([part[k] for part in parts if len(part[0])]) for k in (1, 2))
        before, after, control = logits.transpose(1, 0, 2)
        targets = before.argmax(1) if self.pairs.labels is None else self.pairs.labels[rows]
        answers = PairAnswers(before, after, control, targets, self.pairs.pictures[rows])
        unread = [self.dataset.paths[i] for i in self.dataset.unreadable.nonzero().flatten().tolist()]
        return MeasuredPairs(rows, answers, changed, list(dict.fromkeys(unread)))

    def _batch(self, batch: NDArray[np.int64], say: Say) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
        """Which of some pairs can be read (m,), their logits (m, 3, C), and what share of each changed (m,)."""
        n, has = len(self.pairs.before), np.array([path is not None for path in self.pairs.control])
        found = [self._read(batch + n * kind) for kind in range(3)]
        kept = np.array([row for row in batch if all(row + n * k in found[k] for k in range(3))], dtype=np.int64)
        say("looking at pairs", 2 * len(batch) + int(has[batch].sum()))
        if not len(kept):
            return kept, np.empty(0), np.empty(0)
        images = [torch.stack([found[kind][row + n * kind] for row in kept]) for kind in range(3)]
        logits = np.stack([self.bench.predict(each) for each in images], axis=1)
        logits[~has[kept], KINDS.index("control")] = np.nan
        differs = (images[1] - images[0]).abs().amax(1) > CHANGED
        return kept, logits, differs.double().mean((1, 2)).numpy()

    def _read(self, index: NDArray[np.int64]) -> dict[int, Tensor]:
        images, kept = self.bench.read(index)
        return dict(zip(kept.tolist(), images, strict=True))

    def shown(self, found: MeasuredPairs, count: int) -> list[ShownPair]:
        """Return so many pairs with their heatmaps, for the class of each: large changes, then typical ones.

        Where all are shown, they are in the order of their changes.
        """
        answers = found.answers
        own = np.arange(len(answers.targets)), answers.targets
        change = np.abs(softmax(answers.after)[own] - softmax(answers.before)[own])
        largest_first = np.argsort(-change, kind="stable").tolist()
        few = count < len(change)
        places = [place for place, _ in choose(change, count, answers.targets)] if few else largest_first
        return [self._shown(found, place) for place in places]

    def _shown(self, found: MeasuredPairs, place: int) -> ShownPair:
        answers, row, n = found.answers, int(found.rows[place]), len(self.pairs.before)
        target, parts = int(answers.targets[place]), []
        for kind, logits in enumerate((answers.before, answers.after, answers.control)):
            if kind == KINDS.index("control") and not answers.controlled[place]:
                continue
            images, _ = self.bench.read(np.array([row + n * kind]))
            scores = softmax(logits[place][None])[0]
            said = str(self.bench.classes[int(scores.argmax())]), float(scores[target])
            parts.append(ShownPicture(KINDS[kind], picture(images[0]), self.bench.explain(images, target)[0], *said))
        return ShownPair(self.pairs.before[row].name, self.pairs.after[row].name, self.bench.classes[target], parts)
