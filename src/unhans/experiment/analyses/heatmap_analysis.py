"""The analyses `heatmaps`, pictures of what the network sees in samples, and `conservation`, where relevance goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from unhans.attribution import Attribution, Explain, Relevance, check_colour_map, explain_all
from unhans.data import read_batches, read_samples
from unhans.experiment.run import Subject
from unhans.lrp import COMPOSITES, Conservation
from unhans.lrp.tracing import logits_of
from unhans.report import Say, progress
from unhans.report.figures import Look, Method
from unhans.report.figures.quality import conservation_figure, conservation_rows, conservation_table
from unhans.report.files import HeatmapPages, Looked
from unhans.store import write_csv, write_figure
from unhans.terminal import CONSOLE, ConfigurationError

TARGETS = {"label": "the label", "predicted": "the class predicted for each sample"}


def draw_heatmaps(
    subject: Subject,
    samples: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    per_class: PositiveInt | None = 6,
    rule_sets: Sequence[str] = (),
    target: Literal["label", "predicted"] = "label",
    outputs: NonNegativeInt = 0,
    joint: bool = False,
    cmap: str = "hot-cold",
) -> dict[str, float]:
    """Write heatmaps as PNG: pages per class, the mean maps, and for each sample its outputs.

    Each file is on disk as soon as it is drawn.

    Args:
        subject: what is explained.
        samples: indices of the split; None draws some of each class.
        classes: the names of those to draw from; None is all.
        per_class: how many to draw of each; None is the subject's samples_per_class.
        rule_sets: LRP composites to show beside the chosen attribution.
        target: explain the label, or the predicted class.
        outputs: draw every sample's heatmaps for so many top outputs, and for the label; 0 draws none.
        joint: scale heatmaps jointly over a page, each method by itself.
        cmap: a colour map of `unhans.attribution.colorize`.
    """
    _check(samples, classes)
    check_colour_map(cmap)
    attributions = _attributions(subject.attribution, rule_sets)
    explains = [(each.description, each.of(subject.network)) for each in attributions]
    signed = any(getattr(each, "signed", True) for each in attributions)
    chosen = _chosen(subject, samples, classes, per_class)
    subject.begin()
    pages = HeatmapPages(
        subject.out / "heatmaps",
        subject.data.classes,
        TARGETS[target],
        subject.split,
        Look(joint, cmap, signed),
    )
    try:
        with progress(sum(map(len, chosen.values()))) as say:
            drawing = _Drawing(subject, explains, target, outputs, pages, say)
            for label, indices in chosen.items():
                drawing.draw(label, indices)
    finally:
        subject.data.report_unreadable()
        pages.finish()
    if not pages.files:
        raise ValueError("none of the chosen images could be read; their paths are above.")
    CONSOLE.print(f"{len(pages.files)} pictures are in [bold]{pages.folder}[/]")
    return {"pictures": float(len(pages.files))}


@dataclass(frozen=True)
class _Drawing:
    """How the samples of a class become pages."""

    subject: Subject
    explains: Sequence[tuple[str, Explain]]
    target: str
    outputs: int
    pages: HeatmapPages
    say: Say

    def draw(self, label: int, indices: NDArray[np.int64]) -> None:
        """Explain samples of one label, and write their pages."""
        began = time.perf_counter()
        self.say(f"class {self.subject.classes[label]}", 0)
        dataset = self.subject.dataset
        images, index = read_samples(dataset, indices)
        if len(index):
            logits = self._logits(images)
            targets = logits.argmax(1) if self.target == "predicted" else torch.full((len(index),), label)
            looked = Looked(label, dataset.scale.to_display(images), index, logits, self._methods(images, targets))
            self.pages.add(looked)
            self._wrote(began)
            self._draw_outputs(images, looked)
        self.say(f"class {self.subject.classes[label]}", len(indices))

    def _draw_outputs(self, images: Tensor, looked: Looked) -> None:
        for i, logits in enumerate(looked.logits if self.outputs else ()):
            began = time.perf_counter()
            shown = _top_and(logits, self.outputs, looked.label)
            methods = self._methods(images[i].expand(len(shown), -1, -1, -1), torch.tensor(shown))
            self.pages.add_outputs(looked, i, shown, methods)
            self._wrote(began)

    def _wrote(self, began: float) -> None:
        self.say(f"{self.pages.files[-1].name} in {time.perf_counter() - began:.1f} s", 0)

    def _logits(self, images: Tensor) -> Tensor:
        network, device = self.subject.network, self.subject.device
        with torch.no_grad():
            parts = [logits_of(network(batch.to(device))) for batch in images.split(self.subject.batch_size)]
        return torch.cat(parts).float().cpu()

    def _methods(self, images: Tensor, targets: Tensor) -> list[Method]:
        return [Method(name, self._maps(explain, images, targets)) for name, explain in self.explains]

    def _maps(self, explain: Explain, images: Tensor, targets: Tensor) -> NDArray[np.float32]:
        return explain_all(explain, images, targets, self.subject.batch_size, self.subject.device).maps.numpy()


def _top_and(logits: Tensor, count: int, label: int) -> list[int]:
    """The outputs with the largest logits, largest first, and the label where it is not among them."""
    top = logits.topk(min(count, len(logits))).indices.tolist()
    return top if label in top else [*top, label]


def _attributions(chosen: Attribution, rule_sets: Sequence[str]) -> list[Attribution]:
    """The chosen attribution and LRP by each rule set, none of them twice."""
    unknown = [name for name in rule_sets if name not in COMPOSITES]
    if unknown:
        raise ValueError(f"rule_sets expects names among {', '.join(COMPOSITES)}, got {unknown[0]!r}.")
    found = [chosen]
    found += [Relevance(name) for name in dict.fromkeys(rule_sets) if Relevance(name) != chosen]
    return found


def _chosen(
    subject: Subject, samples: Sequence[int] | None, classes: Sequence[str] | None, per_class: int | None
) -> dict[int, NDArray[np.int64]]:
    """The data-set indices to draw, by label."""
    labels = subject.dataset.labels
    if samples is None:
        return subject.subsets(classes, per_class)
    outside = [index for index in samples if not 0 <= index < len(labels)]
    if outside:
        raise ValueError(
            f"samples expects indices from 0 to {len(labels) - 1} of the {subject.split} images, got {outside[0]}."
        )
    given = np.array(list(dict.fromkeys(samples)), dtype=np.int64)
    return {int(label): given[labels[given] == label] for label in np.unique(labels[given])}


def _check(samples: Sequence[int] | None, classes: Sequence[str] | None) -> None:
    """Raise ValueError for options that cannot be drawn."""
    if samples is not None and classes is not None:
        raise ValueError("samples and classes exclude each other: give indices, or classes to draw from.")
    for option, value in (("samples", samples), ("classes", classes)):
        if value is not None and not len(value):
            raise ValueError(f"{option} expects at least one, or null, got an empty list.")


def conserve(subject: Subject, samples: PositiveInt = 32) -> dict[str, float]:
    """Add up where the relevance of samples for their labels goes; print, write conservation.csv and .png.

    Args:
        subject: the network and its data; the attribution must be LRP.
        samples: how many samples, drawn from all classes.
    """
    if not isinstance(subject.attribution, Relevance):
        name = type(subject.attribution).__name__
        raise ConfigurationError(f"analysis=conservation needs attribution=lrp, got {name}.")
    if subject.attribution.layer is not None:
        layer = subject.attribution.layer
        raise ConfigurationError(f"analysis=conservation follows relevance to the input; attribution.layer={layer!r}.")
    subject.begin()
    report = _report(subject, subject.attribution, samples)
    title = f"{subject.attribution.description} · {len(report.logits)} {subject.split} images"
    CONSOLE.print(conservation_table(report, title))
    write_csv(subject.out / "conservation.csv", *conservation_rows(report))
    write_figure(subject.out / "conservation.png", conservation_figure(report, title))
    return {"deviation": report.deviation, "magnitude": report.magnitude}


def _report(subject: Subject, attribution: Relevance, samples: int) -> Conservation:
    """The books of all drawn samples, batch by batch."""
    dataset = subject.dataset
    drawn = np.random.default_rng(subject.seed).permutation(len(dataset))[:samples]
    lrp = attribution.lrp(subject.network)
    parts: list[Conservation] = []
    with progress(len(drawn)) as say:
        for images, index, asked in read_batches(dataset, drawn, subject.batch_size):
            if len(images):
                labels = torch.as_tensor(dataset.labels[index], device=subject.device)
                parts.append(lrp.conservation(images.to(subject.device), labels))
            say("conservation", asked)
    subject.data.report_unreadable()
    if not parts:
        raise ValueError("none of the drawn samples could be read.")
    return sum(parts[1:], parts[0])
