"""The files of heatmaps to look at: pages per class, a page per sample with its outputs, the mean maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution import class_means, enlarge
from unhans.report.figures import Look, Method, heatmap_figure, legible, mean_figure, output_figure
from unhans.report.text import shorten
from unhans.store import file_stem, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SAMPLES, CLASSES = 16, 24  # at most on one page; more go on the next
LONGEST = 28  # characters of a class name in a caption


@dataclass(frozen=True)
class Looked:
    """Samples of one label: images (n, 3, H, W) in [0, 1], indices (n,), logits (n, C), heatmaps of each method."""

    label: int
    images: Tensor
    index: NDArray[np.int64]
    logits: Tensor
    methods: Sequence[Method]


class HeatmapPages:
    """Writes figures of heatmaps, each file whole or not at all (law 4).

    Args:
        folder: where the files go; made when the first is written.
        classes: the name of every class, by label.
        target: of what the heatmaps are, such as "the label".
        split: the data's name, such as "train".
        look: scaling and colour map.

    Attributes:
        files: what was written.
    """

    def __init__(self, folder: Path, classes: Sequence[str], target: str, split: str, look: Look) -> None:
        self.folder, self.classes, self.look = folder, classes, look
        self.target, self.split = target, split
        self.files: list[Path] = []
        self._maps: list[list[NDArray[np.floating]]] = []  # of each class, of each method
        self._images: list[NDArray[np.floating]] = []
        self._labels: list[int] = []
        self._counts: list[int] = []
        self._names: list[str] = []

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
                "Red: the predicted class is not the label.",
                wrong=[int(looked.logits[i].argmax()) != looked.label for i in part],
                look=self.look,
            )
            self._write(_numbered(file_stem(looked.label, name), number), figure)
        self._keep(looked)

    def add_outputs(self, looked: Looked, i: int, outputs: Sequence[int], methods: Sequence[Method]) -> None:
        """Write sample number i of what was looked at, with a panel for each of the outputs."""
        logits, odds = looked.logits[i], looked.logits[i].softmax(0)
        figure = output_figure(
            looked.images[i],
            methods,
            [self.classes[output] for output in outputs],
            logits[outputs].tolist(),
            odds[outputs].tolist(),
            f"Sample {looked.index[i]} of class '{self.classes[looked.label]}', explained for {len(outputs)} outputs",
            subtitle=f"Relevance for the class above each column (blue: the label), {self.look.scaling}; below, "
            f"logit and probability among {len(logits)} classes; {self.split} image.",
            truth=list(outputs).index(looked.label) if looked.label in outputs else None,
            look=self.look,
        )
        self._write(f"outputs/{looked.index[i]:06d}", figure)

    def finish(self) -> None:
        """Write the mean maps of all classes that were added."""
        pages = _pages(len(self._labels), CLASSES)
        methods = self._means() if pages else []
        for number, part in enumerate(pages, 1):
            size = self._images[0].shape[-2:]
            figure = mean_figure(
                [self._images[i] for i in part],
                [Method(method.name, enlarge(method.maps[part], size)) for method in methods],
                [self.classes[self._labels[i]] for i in part],
                [self._counts[i] for i in part],
                f"Mean heatmaps per class{_page(number, pages)}",
                subtitle=f"Relevance for {self.target}, mean over n {self.split} images of the class; before and after "
                f"the mean, {self.look.scaling}.",
                look=self.look,
            )
            self._write(_numbered("means", number), figure)

    def _means(self) -> list[Method]:
        """The mean maps (classes, h, w) of every method, as small as is shown."""
        labels = np.repeat(self._labels, self._counts)
        of_methods = [np.concatenate(maps) for maps in zip(*self._maps, strict=True)]
        found = [class_means(maps, labels, self.look.joint) for maps in of_methods]
        means = [np.stack([each[label] for label in self._labels]) for each in found]
        return [Method(name, maps) for name, maps in zip(self._names, means, strict=True)]

    def _keep(self, looked: Looked) -> None:
        self._names = [method.name for method in looked.methods]
        self._maps.append([legible(method.maps) for method in looked.methods])
        self._images.append(looked.images.mean(0).numpy())
        self._labels.append(looked.label)
        self._counts.append(len(looked.index))

    def _caption(self, looked: Looked, i: int) -> str:
        logits = looked.logits[i]
        top, rank = int(logits.argmax()), 1 + int((logits > logits[looked.label]).sum())
        name = shorten(self.classes[top], LONGEST)
        return f"sample {looked.index[i]} · predicted {name}, p = {logits.softmax(0)[top]:.2f} · label's rank {rank}"

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
