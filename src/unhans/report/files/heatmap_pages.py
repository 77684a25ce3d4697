"""The files of heatmaps to look at: pages per class, a page per sample with its outputs, the mean maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution import class_means, enlarge
from unhans.report.figures import Look, Method, heatmap_figure, legible, output_notes, panel_figure
from unhans.report.text import shorten
from unhans.store import file_stem, write_figure

SAMPLES, CLASSES = 16, 24  # at most on one page; more go on the next
OVERLAID = 3  # methods up to which heatmaps are laid over the images as well
LONGEST = 28  # characters of a class name in a caption


@dataclass(frozen=True)
class Looked:
    """Samples of one label.

    Attributes:
        label: of all of them.
        images: (n, 3, H, W) in [0, 1].
        index: (n,) in the data set.
        logits: (n, C).
        methods: heatmaps (n, H, W) of each.
    """

    label: int
    images: Tensor
    index: NDArray[np.int64]
    logits: Tensor
    methods: Sequence[Method]


class OutputSum(NamedTuple):
    """Outputs explained as one, by the sum of their logits: a superclass; without a name all that are shown."""

    name: str
    outputs: Sequence[int]


class _Kept(NamedTuple):
    """What the means need of one class: its label, number of samples, mean image, and all heatmaps of each method."""

    label: int
    count: int
    image: NDArray[np.floating]
    methods: list[Method]


class HeatmapPages:
    """Writes figures of heatmaps, each file whole or not at all (law 4).

    Args:
        folder: where the files go; made when the first is written.
        classes: the name of every class, by label.
        target: of what the heatmaps are, such as "the label".
        split: the data's name, such as "train".
        look: scaling and colour map.
        note: ends the subtitle of every page.
        several: an image may show several classes, each output by itself: a class is predicted where its logit is above
            0, and its probability is the sigmoid.

    Attributes:
        files: what was written.
    """

    def __init__(
        self,
        folder: Path,
        classes: Sequence[str],
        target: str,
        split: str,
        look: Look,
        note: str = "",
        several: bool = False,
    ) -> None:
        self.folder, self.classes, self.look, self.note, self.several = folder, classes, look, note, several
        self.target, self.split = target, split
        self.files: list[Path] = []
        self._kept: list[_Kept] = []

    def add(self, looked: Looked) -> None:
        """Write the pages of samples of one label, and keep what their mean needs."""
        name = self.classes[looked.label]
        pages = _pages(len(looked.index), SAMPLES)
        for number, part in enumerate(pages, 1):
            figure = heatmap_figure(
                looked.images[part],
                [Method(method.name, method.maps[part]) for method in looked.methods],
                [self._caption(looked, i) for i in part],
                f"Heatmaps of class '{name}'{_page(number, pages)}",
                subtitle=f"Relevance for {self.target}, {self.look.scaling}; {self.split} images. "
                f"Red: {'the class is not predicted' if self.several else 'the predicted class is not the label'}. "
                f"{self.note}",
                wrong=[self._is_wrong(looked, i) for i in part],
                look=self.look,
                overlays=len(looked.methods) <= OVERLAID,
            )
            self._write(_numbered(file_stem(looked.label, name), number), figure)
        methods = [Method(method.name, legible(method.maps)) for method in looked.methods]
        self._kept.append(_Kept(looked.label, len(looked.index), looked.images.mean(0).numpy(), methods))

    def add_outputs(
        self,
        looked: Looked,
        i: int,
        outputs: Sequence[int],
        methods: Sequence[Method],
        sums: Sequence[OutputSum] = (),
    ) -> None:
        """Write the page of one sample with a panel for each of some outputs, and of some sums of outputs.

        Args:
            looked: samples of its label.
            i: its place among them.
            outputs: k labels.
            methods: heatmaps (k + s, H, W) of each.
            sums: s of them; what is below their panels are sums of logits and of probabilities.
        """
        parts = [*([output] for output in outputs), *(one.outputs for one in sums)]
        logits, odds = looked.logits[i], self._odds(looked.logits[i])
        of_sums = f", and for {len(sums)} sum{'s' * (len(sums) > 1)} of logits" if sums else ""
        said = "; that of a sum begins at all of its logits" + ", and its probability is the sum" * (not self.several)
        said = said if sums else ""
        among = "probability, each class by itself" if self.several else f"probability among {len(logits)} classes"
        figure = panel_figure(
            methods,
            [self.classes[output] for output in outputs]
            + [one.name or f"sum of {len(one.outputs)} outputs" for one in sums],
            output_notes([float(logits[part].sum()) for part in parts], self._odds_of(odds, parts)),
            f"Sample {looked.index[i]} of class '{self.classes[looked.label]}', explained for {len(outputs)} "
            f"output{'s' * (len(outputs) > 1)}{of_sums}",
            subtitle=f"Relevance for the class above each column (blue: the label), {self.look.scaling}{said}; below, "
            f"logit and {among}; {self.split} image. {self.note}",
            look=self.look,
            image=looked.images[i],
            marked=list(outputs).index(looked.label) if looked.label in outputs else None,
        )
        self._write(f"outputs/{looked.index[i]:06d}", figure)

    def finish(self) -> None:
        """Write the mean maps of all classes that were added."""
        pages = _pages(len(self._kept), CLASSES)
        methods = self._means() if pages else []
        for number, part in enumerate(pages, 1):
            shown = [self._kept[i] for i in part]
            figure = panel_figure(
                [Method(method.name, enlarge(method.maps[part], shown[0].image.shape[-2:])) for method in methods],
                [self.classes[one.label] for one in shown],
                [f"n = {one.count}" for one in shown],
                f"Mean heatmaps per class{_page(number, pages)}",
                subtitle=f"Relevance for {self.target}, mean over n {self.split} images of the class; before and after "
                f"the mean, {self.look.scaling}. {self.note}",
                look=self.look,
                images=[one.image for one in shown],
            )
            self._write(_numbered("means", number), figure)

    def _means(self) -> list[Method]:
        """The mean maps (classes, h, w) of every method, as small as is shown."""
        labels, methods = np.repeat([one.label for one in self._kept], [one.count for one in self._kept]), []
        for parts in zip(*(one.methods for one in self._kept), strict=True):
            found = class_means(np.concatenate([part.maps for part in parts]), labels, self.look.joint)
            methods.append(Method(parts[0].name, np.stack([found[one.label] for one in self._kept])))
        return methods

    def _caption(self, looked: Looked, i: int) -> str:
        logits = looked.logits[i]
        top, rank = int(logits.argmax()), 1 + int((logits > logits[looked.label]).sum())
        name = shorten(self.classes[top], LONGEST)
        if self.several:
            own = self._odds(logits)
            count = int((logits > 0).sum())
            return f"sample {looked.index[i]} · p = {own[looked.label]:.2f}, rank {rank} · {count} classes predicted"
        return f"sample {looked.index[i]} · predicted {name}, p = {logits.softmax(0)[top]:.2f} · label's rank {rank}"

    def _is_wrong(self, looked: Looked, i: int) -> bool:
        logits = looked.logits[i]
        return bool(logits[looked.label] <= 0) if self.several else int(logits.argmax()) != looked.label

    def _odds(self, logits: Tensor) -> Tensor:
        return logits.sigmoid() if self.several else logits.softmax(0)

    def _odds_of(self, odds: Tensor, parts: Sequence[Sequence[int]]) -> list[float]:
        """The probability of each output or sum; of several classes of an image a sum has none."""
        return [float("nan") if self.several and len(part) > 1 else float(odds[part].sum()) for part in parts]

    def _write(self, name: str, figure: Figure) -> None:
        path = self.folder / f"{name}.png"
        write_figure(path, figure)
        self.files.append(path)


def _pages(count: int, most: int) -> list[list[int]]:
    """Split 0 … count − 1 into pages."""
    return [list(range(start, min(start + most, count))) for start in range(0, count, most)]


def _page(number: int, pages: Sequence[list[int]]) -> str:
    return "" if len(pages) == 1 else f", page {number} of {len(pages)}"


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
