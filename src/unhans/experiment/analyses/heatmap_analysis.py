"""The analyses `heatmaps`, pictures of what the network sees in samples, and `conservation`, where relevance goes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from unhans.attribution import (
    Attribution,
    Explain,
    Relevance,
    Tiled,
    check_colour_map,
    explain_all,
    tile_windows,
)
from unhans.class_names import labels_named
from unhans.data import read_batches, read_samples
from unhans.experiment.faithfulness import Named, compared_methods
from unhans.experiment.run import Subject
from unhans.lrp import COMPOSITES, Conservation, deepest_within
from unhans.lrp.tracing import logits_of
from unhans.report import Say, progress
from unhans.report.figures import Look, Method
from unhans.report.figures.quality import conservation_figure, conservation_rows, conservation_table
from unhans.report.files import HeatmapPages, Looked, OutputSum
from unhans.report.text.quality import depth_said, tiles_said
from unhans.store import write_csv, write_figure
from unhans.terminal import CONSOLE, ConfigurationError

Classes = Sequence[str | int]  # names; a name may be a number
DEEP = ("epsilon_plus_flat", "epsilon_alpha2_beta1_flat")  # rule sets whose flat may reach further
TARGETS = {"label": "the label", "predicted": "the class predicted for each sample"}


def draw_heatmaps(
    subject: Subject,
    samples: Sequence[int] | None = None,
    classes: Sequence[str] | None = None,
    per_class: PositiveInt | None = 6,
    rule_sets: Sequence[str] = (),
    methods: Sequence[Named] = (),
    depths: Sequence[PositiveInt] = (),
    target: Literal["label", "predicted"] = "label",
    outputs: NonNegativeInt = 0,
    superclasses: Mapping[str, Classes] | Sequence[Classes] | Classes | None = None,
    tile: PositiveInt | None = None,
    stride: PositiveInt | None = None,
    joint: bool = False,
    cmap: str = "hot-cold",
    alpha: bool = False,
) -> dict[str, float]:
    """Write heatmaps as PNG: pages per class, the mean maps, and for each sample its outputs.

    Each file is on disk as soon as it is drawn.

    Args:
        subject: what is explained.
        samples: indices of the split; None draws some of each class.
        classes: the names of those to draw from; None is all.
        per_class: how many to draw of each; None is the subject's samples_per_class.
        rule_sets: LRP composites to show beside the chosen attribution.
        methods: choices of `attribution=` to show as well.
        depths: pixels; for each LRP with flat up to the last layer whose receptive field has at most so many.
        target: explain the label, or the predicted class.
        outputs: draw every sample's heatmaps for so many top outputs, for the label, and for the sum; 0 draws none.
        superclasses: classes whose logits are explained as one sum, by its name, or lists of names; drawn beside the
            outputs. A list of classes is one superclass.
        tile: side of tiles of the images that are explained each by itself; None explains an image as a whole.
        stride: pixels from one tile to the next; None is a third of the tile.
        joint: scale heatmaps jointly over a page, each method by itself.
        cmap: a colour map of `unhans.attribution.colorize`.
        alpha: show the image through positive relevance beside each heatmap, in place of relevance over the image.
    """
    _check(samples, classes)
    check_colour_map(cmap)
    tiles = _tiles(subject, tile, stride)
    attributions = _attributions(subject, rule_sets, methods, depths, tile)
    sums = _superclasses(superclasses, subject)
    explains = [(name, _tiled(each, tiles).of(subject.network)) for name, each in attributions.items()]
    signed = any(getattr(each, "signed", True) for each in attributions.values())
    chosen = _chosen(subject, samples, classes, per_class)
    subject.begin()
    pages = HeatmapPages(
        subject.out / "heatmaps",
        subject.data.classes,
        TARGETS[target],
        subject.split,
        Look(joint, cmap, signed, alpha),
        "" if tiles is None else tiles_said(*tiles),
        subject.data.several,
    )
    try:
        with progress(sum(map(len, chosen.values()))) as say:
            drawing = _Drawing(subject, explains, target, outputs, sums, tiles, pages, say)
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
    sums: Sequence[OutputSum]
    tiles: tuple[int, int] | None
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
        for i, logits in enumerate(looked.logits if self.outputs or self.sums else ()):
            began = time.perf_counter()
            shown = _top_and(logits, self.outputs, looked.label)
            sums = [*self.sums, *([OutputSum("", shown)] if len(shown) > 1 else [])]
            methods = self._methods(images[i].expand(len(shown), -1, -1, -1), torch.tensor(shown))
            for one in sums:
                weights = torch.zeros_like(logits).index_fill(0, torch.tensor(one.outputs), 1)
                found = self._methods(images[i : i + 1], weights[None])
                methods = [
                    Method(a.name, np.concatenate([a.maps, b.maps])) for a, b in zip(methods, found, strict=True)
                ]
            self.pages.add_outputs(looked, i, shown, methods, sums)
            self._wrote(began)

    def _wrote(self, began: float) -> None:
        self.say(f"{self.pages.files[-1].name} in {time.perf_counter() - began:.1f} s", 0)

    def _logits(self, images: Tensor) -> Tensor:
        """The logits (n, C); of tiles their mean, as their heatmaps are."""
        windows = [(slice(None), slice(None))] if self.tiles is None else tile_windows(images.shape[2:], *self.tiles)
        with torch.no_grad():
            parts = [self._logits_of(batch, windows) for batch in images.split(self.subject.batch_size)]
        return torch.cat(parts)

    def _logits_of(self, batch: Tensor, windows: Sequence[tuple[slice, slice]]) -> Tensor:
        network, batch = self.subject.network, batch.to(self.subject.device)
        return torch.stack([logits_of(network(batch[(..., *each)])) for each in windows]).mean(0).float().cpu()

    def _methods(self, images: Tensor, targets: Tensor) -> list[Method]:
        return [Method(name, self._maps(explain, images, targets)) for name, explain in self.explains]

    def _maps(self, explain: Explain, images: Tensor, targets: Tensor) -> NDArray[np.float32]:
        return explain_all(explain, images, targets, self.subject.batch_size, self.subject.device).maps.numpy()


def _top_and(logits: Tensor, count: int, label: int) -> list[int]:
    """The outputs with the largest logits, largest first, and the label where it is not among them."""
    top = logits.topk(min(count, len(logits))).indices.tolist()
    return top if label in top else [*top, label]


def _attributions(
    subject: Subject, rule_sets: Sequence[str], methods: Sequence[Named], depths: Sequence[int], tile: int | None
) -> dict[str, Attribution]:
    """The chosen attribution, LRP by each rule set, other methods, and LRP by depth, by what is said of them."""
    unknown = [name for name in rule_sets if name not in COMPOSITES]
    if unknown:
        raise ValueError(f"rule_sets expects names among {', '.join(COMPOSITES)}, got {unknown[0]!r}.")
    named = [*(Relevance(name) for name in rule_sets), *compared_methods(subject.attribution, methods).values()]
    found = {each.description: each for each in (subject.attribution, *named)}
    return found | _depths(subject, depths, tile)


def _depths(subject: Subject, depths: Sequence[int], tile: int | None) -> dict[str, Attribution]:
    """LRP with flat up to each depth; depths that end at one layer are one."""
    if not depths:
        return {}
    chosen = subject.attribution
    parts = (chosen.composite, chosen.parameters) if isinstance(chosen, Relevance) else ("", {})
    composite, given = parts if parts[0] in DEEP else (DEEP[0], {})
    parameters = {name: value for name, value in given.items() if name not in ("flat_through", "flat_within")}
    side = tile or subject.data.image_size
    image = torch.zeros(1, subject.dataset.scale.channels, side, side, device=subject.device)
    asked: dict[tuple[str, int], list[int]] = {}
    for pixels in dict.fromkeys(depths):
        asked.setdefault(deepest_within(subject.network, image, pixels), []).append(pixels)
    return {
        depth_said(str(composite), pixels, *end): Relevance(composite, {**parameters, "flat_through": end[0]})
        for end, pixels in asked.items()
    }


def _superclasses(given: Any, subject: Subject) -> list[OutputSum]:
    """Sums of outputs by name: of a mapping, of lists, or of one list of classes."""
    if isinstance(given, Mapping):
        named = dict(given)
    else:
        lists = [given] if given and all(isinstance(each, str | int) for each in given) else given or ()
        named = {" + ".join(map(str, classes)): classes for classes in lists}
    found = []
    for name, classes in named.items():
        if not classes:
            raise ValueError(f"superclasses expects at least one class in each, got none for {name!r}.")
        found.append(OutputSum(name, list(dict.fromkeys(labels_named(classes, subject.classes, "superclasses")))))
    return found


def _tiles(subject: Subject, tile: int | None, stride: int | None) -> tuple[int, int] | None:
    """Side and stride of tiles; None where images are explained as a whole."""
    side = subject.data.image_size
    if tile is None:
        if stride is not None:
            raise ValueError("stride is of tiles: give tile, too.")
        return None
    if tile > side:
        raise ValueError(f"tile expects at most the side of the images, {side} (data.image_size), got {tile}.")
    return tile, stride or max(1, tile // 3)


def _tiled(attribution: Attribution, tiles: tuple[int, int] | None) -> Attribution:
    return attribution if tiles is None else Tiled(attribution, *tiles)


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
    none = given[labels[given] < 0]
    if len(none):
        raise ValueError(f"samples expects images that show a class, whose heatmaps are drawn; {none[0]} shows none.")
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
    if unlabelled := int((dataset.labels < 0).sum()):
        CONSOLE.print(f"{unlabelled} of {len(dataset.labels)} images have no class and are left out.")
    drawn = np.random.default_rng(subject.seed).permutation(np.flatnonzero(dataset.labels >= 0))[:samples]
    side = subject.data.image_size
    blank = torch.zeros(1, dataset.scale.channels, side, side, device=subject.device)
    lrp = attribution.lrp(subject.network, blank)
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
