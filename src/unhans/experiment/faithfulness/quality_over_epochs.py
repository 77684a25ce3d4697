"""The quality of heatmaps of several checkpoints of one training, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.loggers import Logger
from rich.markup import escape
from torch import Tensor, nn

from unhans.attribution import explain_all
from unhans.data import fingerprint_of, read_samples
from unhans.effects import draw_evenly
from unhans.experiment.faithfulness.checkpoint_epochs import EpochCheckpoint
from unhans.experiment.run import Subject
from unhans.experiment.survey import weights_of
from unhans.faithfulness import RegionPerturbation
from unhans.faithfulness.training import ACCURACY, MAIN, MeasuredEpoch, estimated, followed, quality_values
from unhans.harness import Regions, accuracy_of, pixel_range, predicted_classes, region_masks
from unhans.report import Say, progress
from unhans.report.figures.quality import quality_figure, regions_figure
from unhans.report.html import write_quality_page
from unhans.report.loggers import log_once, logger_keys
from unhans.report.tables.quality import correlation_rows, epoch_rows, epoch_table
from unhans.report.text.quality import (
    TARGETS,
    checkpoints_sentence,
    course_sentences,
    epoch_count,
    quality_subtitle,
)
from unhans.stats import Estimate, wilson
from unhans.store import digest, file_stem, jsonable, replacing, write_csv, write_figure
from unhans.terminal import CONSOLE

PAGE = "faithfulness.html"
ACCURATE = 1000  # images that accuracy is measured on, at most
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class QualityOverEpochs:
    """Measures what is not in the folder yet, checkpoint by checkpoint.

    Attributes:
        subject: the data, and how heatmaps are made.
        checkpoints: ascending by epoch.
        perturbation: how regions are replaced.
        target: "predicted" class or "label" that is explained and whose score is asked.
        chosen: images by label.
        regions: named regions, see `region_masks`.
    """

    subject: Subject
    checkpoints: Sequence[EpochCheckpoint]
    perturbation: RegionPerturbation
    target: Literal["predicted", "label"]
    chosen: Mapping[int, NDArray[np.int64]]
    regions: Regions

    def check(self) -> None:
        """Raise ValueError for what could not be measured later, before any work."""
        if not len(self.index):
            raise ValueError("none of the drawn images could be read; their paths are above.")
        self.perturbation.grid(self.subject.size)
        region_masks(self.subject.dataset, self.regions, self.index, self.subject.size)
        for one in self.checkpoints:
            one.network()

    @cached_property
    def _read(self) -> tuple[Tensor, NDArray[np.int64]]:
        return read_samples(self.subject.dataset, np.concatenate([*self.chosen.values()]))

    @property
    def index(self) -> NDArray[np.int64]:
        """The images that can be read (n,), in the data set."""
        return self._read[1]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Of these images (n,)."""
        return np.asarray(self.subject.dataset.labels)[self.index]

    @cached_property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """The regions on these images (n, H, W), by name."""
        return region_masks(self.subject.dataset, self.regions, self.index, self.subject.size)

    @property
    def files(self) -> dict[int, str]:
        """The name of the checkpoint of every epoch."""
        return {one.epoch: Path(one.path).name for one in self.checkpoints}

    @property
    def said(self) -> str:
        """What is measured."""
        method = self.subject.attribution.description
        return quality_subtitle(self.perturbation, self.target, len(self.index), method)

    @property
    def passes(self) -> int:
        """How many perturbed images of a checkpoint pass the network."""
        drawn = sum(map(self.perturbation.draws, ("morf", "random")))
        return len(self.index) * (self.perturbation.steps + 1) * drawn

    def measured(self, say: Say) -> list[Values]:
        """Return what was measured of the images (n,) by name, and "accuracy" of others, checkpoint by checkpoint."""
        found = []
        for one in self.checkpoints:
            network = one.network().eval()
            path = self.subject.out / "measures" / f"epoch_{one.epoch:03d}.npz"
            key = self._key(network)
            values = _stored(path, key)
            if values is None:
                values = self._of(network, lambda count, one=one: say(f"after {epoch_count(one.epoch)}", count))
                with replacing(path) as part, part.open("wb") as file:
                    np.savez(file, key=key, **values)
            else:
                say(f"after {epoch_count(one.epoch)}", self.passes)
            found.append(values)
        return found

    def _of(self, network: nn.Module, advance: Callable[[int], None]) -> Values:
        subject, images = self.subject, self._read[0].to(self.subject.device)
        if self.target == "predicted":
            targets = predicted_classes(network, images, subject.batch_size)
        else:
            targets = torch.from_numpy(self.labels).to(subject.device)
        explain = subject.attribution.of(network)
        maps = explain_all(explain, images, targets, subject.batch_size, subject.device).maps.numpy()
        given = (network, maps, images, targets, self.perturbation, pixel_range(subject.dataset.scale), self.masks)
        values = quality_values(*given, advance=advance)
        labels = np.asarray(subject.dataset.labels)
        right = accuracy_of(network, subject.dataset, labels, self._counted, subject.device, subject.batch_size)
        return values | ({} if right is None else {ACCURACY: np.array([right.mean * right.n, right.n])})

    @cached_property
    def _counted(self) -> NDArray[np.int64]:
        """The images that accuracy is measured on, in the data set."""
        labels = np.asarray(self.subject.dataset.labels)
        return draw_evenly(labels, np.flatnonzero(labels >= 0), ACCURATE, self.subject.seed)

    @cached_property
    def _images_key(self) -> str:
        """A digest of all images that are measured, of their labels and regions."""
        dataset, masks = self.subject.dataset, self.masks
        seen = [(index, np.asarray(dataset.labels)[index], fingerprint_of(dataset, index))
                for index in (self.index, self._counted)]  # fmt: skip
        return digest(list(masks), *masks.values(), *(each for parts in seen for each in parts))

    def _key(self, network: nn.Module) -> str:
        settings = {key: value for key, value in asdict(self.perturbation).items() if key != "at_once"}
        common = jsonable(settings | {"target": self.target, "method": repr(self.subject.attribution)})
        return digest(common, weights_of(network), self.subject.seed, self._images_key)


def _stored(path: Path, key: str) -> Values | None:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files if name != "key"} if str(file["key"]) == key else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def follow_checkpoints(run: QualityOverEpochs, logger: Logger | None) -> dict[str, float]:
    """Measure, print, write and log the quality of heatmaps after every epoch; return the rank correlations."""
    total = run.passes * len(run.checkpoints)
    CONSOLE.print(escape(
        f"{len(run.index)} images, {checkpoints_sentence(run.files)} {total:,} perturbed images pass the networks."
    ))  # fmt: skip
    with progress(total) as say:
        values = run.measured(say)
    points = _points(run, values, np.ones(len(run.index), bool))
    classes = {label: run.subject.data.classes[label] for label in np.unique(run.labels).tolist()}
    by_class = {classes[label]: _points(run, values, run.labels == label) for label in classes}
    return _concluded(run, points, by_class, logger)


def _points(run: QualityOverEpochs, values: Sequence[Values], rows: NDArray[np.bool_]) -> list[MeasuredEpoch]:
    """The means over some images after every epoch; accuracy is that of all."""
    found = []
    for one, each in zip(run.checkpoints, values, strict=True):
        own = {name: value[rows] for name, value in each.items() if name != ACCURACY}
        means = estimated(own, run.subject.seed)
        if ACCURACY in each and rows.all():
            right, n = map(round, each[ACCURACY].tolist())
            means[ACCURACY] = Estimate(right / n, wilson(right, n), "samples", 1, n)
        found.append(MeasuredEpoch(one.epoch, means))
    return found


def _concluded(
    run: QualityOverEpochs,
    points: Sequence[MeasuredEpoch],
    by_class: Mapping[str, Sequence[MeasuredEpoch]],
    logger: Logger | None,
) -> dict[str, float]:
    out = run.subject.out
    tables = {"quality.csv": epoch_rows({"": points} | dict(by_class)), "correlations.csv": correlation_rows(points)}
    for name, rows in tables.items():
        write_csv(out / name, *rows)
    said = course_sentences(points, list(run.masks))
    CONSOLE.print(epoch_table(points, list(run.masks)))
    for sentence in said:
        CONSOLE.print(escape(sentence))
    figures = _drawn(run, points, by_class)
    pictures = {_heading(key): path for key, path in figures.items()}
    sentences = [run.said, checkpoints_sentence(run.files), *said]
    last = {name: each[-1] for name, each in by_class.items()}
    downloads = {name: out / name for name in tables}
    write_quality_page(out / PAGE, sentences, points, last, run.files, list(run.masks), pictures, downloads)
    CONSOLE.print(f"The page with all of it is [bold]{escape(str(out / PAGE))}[/]")
    correlations = {f"with_{other}": one.rho for other, one in followed(points, MAIN).items() if not np.isnan(one.rho)}
    numbers = correlations | {MAIN: points[-1].values[MAIN].mean}
    if logger:
        logged = {f"quality/{key}": value for key, value in numbers.items()}
        log_once([logger], logged, figures, {"quality/epochs": tables["quality.csv"]})
    return numbers


def _drawn(
    run: QualityOverEpochs, points: Sequence[MeasuredEpoch], by_class: Mapping[str, Sequence[MeasuredEpoch]]
) -> dict[str, Path]:
    """Draw the curves of all images, and of regions those of every class; return the files by their logger's key."""
    folder, names, method = run.subject.out / "figures", list(run.masks), run.subject.attribution.description
    files = {"quality/curve": folder / "quality.png"}
    write_figure(files["quality/curve"], quality_figure(points, run.perturbation.of, run.said), dpi=150)
    if names:
        files["regions/curves"] = folder / "regions.png"
        explained = f"{method}; {TARGETS[run.target]} of n = {len(run.index)} images"
        write_figure(files["regions/curves"], regions_figure(points, names, "all classes", explained), dpi=150)
        keys = logger_keys({name: name for name in by_class})
        for number, (name, each) in enumerate(by_class.items()):
            path = files[f"regions/class/{keys[name]}/curves"] = folder / f"{file_stem(number, name)}.png"
            write_figure(path, regions_figure(each, names, name, method), dpi=150)
    return files


def _heading(key: str) -> str:
    if key == "quality/curve":
        return "Quality of heatmaps, beside accuracy"
    return f"Relevance in regions{key.removeprefix('regions').removesuffix('/curves').replace('/class/', ', class ')}"
