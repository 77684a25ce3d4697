"""The models of a comparison, the images that all of them are asked about, and what each says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from unhans.attribution import Attribution, ExtremalPerturbation
from unhans.attribution.masks import Blurring
from unhans.class_names import Names
from unhans.comparison import GRID, NONE, ImageMasks, ModelView, blocks, rounded, sum_onto
from unhans.data import PixelScale, fingerprint_of, pixel_scale, read_samples
from unhans.effects import Bench, softmax
from unhans.harness import bench_of
from unhans.influence import GradientCosine, last_stages, two_clusters
from unhans.spray import SpRAy
from unhans.store import differences, digest, jsonable, replacing

Say = Callable[[str, int], None]
FORMAT = 2  # of the stored views
MEMORY = 2e9  # bytes that gradients may take
PROBES = 4  # images by whose logits a network is known again


@dataclass(frozen=True)
class ComparedModel:
    """One of the models that are compared.

    Attributes:
        name: of the model, unlike the others'.
        network: in evaluation mode, on its device.
        dataset: the images as this network takes them; the same ones in the same order for every model.
        classes: what its outputs mean.
        settings: how it was trained, as plain values; {} where nobody knows.
        scale: between its images and [0, 1]; None: found from the data set.
        training: the images whose influence is compared, as this network takes them, the same ones for every model;
            None where nothing is known of them.
        seen: (n,) bool, images of `dataset` that the model was trained on; None: none, or nobody knows.
        ckpt: its checkpoint; None where it was given in Python.
    """

    name: str
    network: nn.Module
    dataset: Dataset
    classes: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    scale: PixelScale | None = None
    training: Dataset | None = None
    seen: NDArray[np.bool_] | None = None
    ckpt: str | None = None


@dataclass(frozen=True)
class SampleSet:
    """The images that all models are asked about.

    Attributes:
        names: of the classes that all models and the data have; other classes of any model come after them.
        common: how many of these names are common.
        index: (n,) in the data sets, class by class.
        labels: (n,) as places among the names.
        masked: (n,) bool, for which masks are made.
        queries: (n,) bool, for which training images are ranked by influence; None: none.
        training: indices in the models' training data of the images that are ranked.
        training_labels: of these, as places among the names.
        seen: images that are left out, as one of the models was trained on them.
    """

    names: Sequence[str]
    common: int
    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    masked: NDArray[np.bool_]
    queries: NDArray[np.bool_] | None = None
    training: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    training_labels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    seen: int = 0

    @property
    def work(self) -> int:
        """How many images a model is asked about, those that are read again counted again."""
        ranked = 0 if self.queries is None else int(self.queries.sum()) + len(self.training)
        return len(self.index) + int(self.masked.sum()) + ranked

    def places(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the place among the names of each output of a model, −1 where an output has no name of its own."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place.get(name, -1) for name in classes])


@dataclass(frozen=True)
class Viewing:
    """How models are asked.

    Attributes:
        attribution: how heatmaps are made.
        masks: how masks are made, where any are.
        device: of the networks.
        batch_size: images at once.
        seed: of everything that is drawn.
        folder: where views are stored; None: nowhere.
        say: told what is done and for how many images.
        spray: how gradients are clustered.
    """

    attribution: Attribution
    masks: ExtremalPerturbation = field(default_factory=ExtremalPerturbation)
    device: torch.device | str = "cpu"
    batch_size: int = 32
    seed: int = 0
    folder: Path | None = None
    say: Say = lambda text, images: None
    spray: SpRAy = field(default_factory=SpRAy)

    def saying(self, say: Say) -> Viewing:
        """Return the same, telling what is done."""
        return replace(self, say=say)


@dataclass(frozen=True)
class Asked:
    """A model and the images it is asked about; number: its place among the models."""

    number: int
    model: ComparedModel
    samples: SampleSet
    how: Viewing

    @cached_property
    def scale(self) -> PixelScale:
        """Between the model's images and [0, 1]."""
        return self.model.scale or pixel_scale(self.model.dataset, self.how.seed)

    def bench(self, attribution: Attribution | None = None) -> Bench:
        """The bench of the network and its data set."""
        options = {"device": self.how.device, "batch_size": self.how.batch_size, "seed": self.how.seed}
        labels = np.full(len(self.model.dataset), -1)  # type: ignore[arg-type]
        labels[self.samples.index] = self.outputs[self.samples.labels]
        bench = bench_of(
            self.model.network, self.model.dataset, attribution or self.how.attribution,
            scale=self.scale, labels=labels, **options,
        )  # fmt: skip
        return replace(bench, classes=Names(self.model.classes))

    @cached_property
    def outputs(self) -> NDArray[np.int64]:
        """The output of each common class."""
        places = self.samples.places(self.model.classes).tolist()
        return np.array([places.index(number) for number in range(self.samples.common)])

    @cached_property
    def side(self) -> tuple[int, int]:
        """The size (H, W) of its images."""
        for row in range(len(self.samples.index)):
            images, _ = self.bench().read(self.samples.index[row : row + 1])
            if len(images):
                return tuple(images.shape[-2:])
        raise ValueError(f"none of the {len(self.samples.index)} images can be read for model {self.model.name!r}")

    def output(self, label: int) -> int:
        """The model's output of a common class."""
        return int(self.outputs[label])

    def targets(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The outputs of the labels of some rows of the sample set."""
        return self.outputs[self.samples.labels[rows]]

    def key(self, grid: tuple[int, int]) -> dict[str, Any]:
        """Return what its view depends on."""
        samples = self.samples
        return {
            "format": FORMAT,
            "model": {
                "architecture": digest(repr(self.model.network)),
                "weights": digest(self.model.network.state_dict()),
                "classes": digest(list(self.model.classes)),
                "answers": self._answers,
            },
            "images": fingerprint_of(self.model.dataset, samples.index),
            "labels": digest(samples.labels, list(samples.names)),
            "attribution": _settings(self.how.attribution),
            "grid": list(grid),
            "masks": _settings(self.how.masks) | {"images": digest(samples.masked)} if samples.masked.any() else None,
            "influence": self._influence_key(),
        }

    @property
    def _answers(self) -> str:
        """A digest of what the network says about a few images: what it computes is not in its weights alone.

        Raises ValueError where it has not one output for each of its classes.
        """
        images, _ = self.bench().read(self.samples.index[:PROBES])
        if not len(images):
            return ""
        logits = self.bench().predict(images)
        if logits.shape[1] != len(self.model.classes):
            raise ValueError(
                f"model {self.model.name!r} has {logits.shape[1]} outputs, but names of {len(self.model.classes)}"
            )
        return digest(logits.round(3) + 0.0)

    def _influence_key(self) -> dict[str, Any] | None:
        samples = self.samples
        if samples.queries is None or self.model.training is None:
            return None
        images = fingerprint_of(self.model.training, samples.training)
        return {
            "queries": digest(samples.queries),
            "training": images,
            "labels": digest(samples.training_labels),
            "spray": digest(jsonable(self.how.spray.get_params())),
        }


def _settings(attribution: Attribution) -> dict[str, Any]:
    values = {f.name: getattr(attribution, f.name) for f in fields(attribution)} if is_dataclass(attribution) else {}
    return {"method": type(attribution).__name__, "description": attribution.description} | jsonable(values)


def common_grid(asked: Sequence[Asked]) -> tuple[int, int]:
    """Return the grid onto which all heatmaps are summed: 28 cells a side, or as many as the smallest images have."""
    return tuple(min(GRID, *(one.side[axis] for one in asked)) for axis in (0, 1))  # type: ignore[return-value]


def view_of(asked: Asked, grid: tuple[int, int]) -> tuple[ModelView, list[str]]:
    """Return what a model says about the images, and why a stored answer was not taken: [] where there is none.

    Rows of images that cannot be read hold NaN, and −1 as prediction. Masks have the size of its own images.

    Raises:
        ValueError: no image can be read.
    """
    key, path = asked.key(grid), _path(asked)
    stored, reasons = (None, []) if path is None else _load(path, key)
    if stored is not None:
        asked.how.say(asked.model.name, asked.samples.work)
        return stored, []
    view = _measured(asked, grid)
    if path is not None:
        _save(path, view, key)
    return view, reasons


def _measured(asked: Asked, grid: tuple[int, int]) -> ModelView:
    samples, bench, n = asked.samples, asked.bench(), len(asked.samples.index)
    predicted, probability = np.full(n, -1), np.full(n, np.nan)
    heatmaps = np.full((n, *grid), np.nan, dtype=np.float32)
    places, row_of = samples.places(asked.model.classes), {int(i): row for row, i in enumerate(samples.index)}
    for start in range(0, n, bench.batch_size):
        rows = np.arange(start, min(start + bench.batch_size, n))
        images, kept = bench.read(samples.index[rows])
        if len(kept):
            read = np.array([row_of[int(i)] for i in kept])
            logits, outputs = bench.predict(images), asked.targets(read)
            predicted[read] = places[logits.argmax(1)]
            probability[read] = softmax(logits)[np.arange(len(read)), outputs]
            for output in np.unique(outputs):
                some = np.flatnonzero(outputs == output)
                heatmaps[read[some]] = sum_onto(bench.explain(images[some], int(output)), grid)
        asked.how.say(f"{asked.model.name}: heatmaps", len(rows))
    masks = _masks(asked) if samples.masked.any() else None
    influence, clusters = _influence(asked)
    return ModelView(predicted, probability, heatmaps, masks, influence=influence, clusters=clusters)


def _influence(asked: Asked) -> tuple[NDArray[np.float32] | None, NDArray[np.int64] | None]:
    """Scores (n, t) of training images by the cosine of gradients, and clusters (n,) of the queries' gradients.

    NaN and −1 for images that are no query or not readable; None and None where none are asked for.
    """
    samples, model, how = asked.samples, asked.model, asked.how
    if samples.queries is None or model.training is None:
        return None, None
    cosine = GradientCosine(last_stages(model.network, MEMORY), memory=MEMORY)
    rows, columns = np.flatnonzero(samples.queries), np.arange(len(samples.training))
    kept: list[NDArray[np.int64]] = []

    def batches(data: Dataset, index: NDArray[np.int64], labels: NDArray[np.int64], places: NDArray[np.int64]) -> Any:
        """Images and labels that can be read; `kept` gets their places."""
        kept.clear()
        for start in range(0, len(index), how.batch_size):
            part = slice(start, start + how.batch_size)
            images, read = read_samples(data, index[part])
            there = np.isin(index[part], read)
            how.say(f"{model.name}: influence", len(index[part]))
            if len(read):
                kept.append(places[part][there])
                yield images.to(how.device), torch.as_tensor(asked.outputs[labels[part][there]]).to(how.device)

    queries = list(batches(model.dataset, samples.index[rows], samples.labels[rows], rows))
    found = np.full((len(samples.index), len(columns)), np.nan, dtype=np.float32)
    if not queries:
        return found, np.full(len(found), NONE)
    asked_rows = np.concatenate(kept)
    training = partial(batches, model.training, samples.training, samples.training_labels, columns)
    scores = cosine.scores(model.network, queries, training)
    if kept:
        found[np.ix_(asked_rows, np.concatenate(kept))] = scores.numpy()
    return found, _clusters(asked, cosine, asked_rows, queries)


def _clusters(
    asked: Asked, cosine: GradientCosine, rows: NDArray[np.int64], queries: Sequence[tuple[Tensor, Tensor]]
) -> NDArray[np.int64]:
    """Two clusters of each class by the gradients of its queries: 2 · label + 0 or 1, −1 where there are none (n,)."""
    found = np.full(len(asked.samples.index), NONE)
    images, targets = (torch.cat(parts) for parts in zip(*queries, strict=True))
    for label in np.unique(asked.samples.labels[rows]):
        own = np.flatnonzero(asked.samples.labels[rows] == label)
        parts = torch.from_numpy(own).to(images.device).split(asked.how.batch_size)
        batches = [(images[part], targets[part]) for part in parts]
        scores = cosine.scores(asked.model.network, batches, lambda same=batches: same).double()
        try:
            found[rows[own]] = 2 * label + two_clusters((scores + scores.T) / 2, asked.how.spray)
        except ValueError:  # too few queries, or gradients that are all equal: `comparison_sentences` says so
            continue
    return found


def _masks(asked: Asked) -> ImageMasks:
    """The masks of the images that get one, as large as the model's images."""
    samples, bench = asked.samples, asked.bench(asked.how.masks)
    found: dict[int, NDArray[np.uint8]] = {}
    for label in np.unique(samples.labels):
        rows = np.flatnonzero(samples.masked & (samples.labels == label))
        images, kept = bench.read(samples.index[rows])
        if len(kept):
            read = rows[np.isin(samples.index[rows], kept)]
            packed = ImageMasks.of(read, bench.explain(images, asked.output(int(label))))
            found |= dict(zip(read.tolist(), packed.bits, strict=True))
        asked.how.say(f"{asked.model.name}: masks", len(rows))
    height, width = asked.side
    bits = np.array([found[row] for row in sorted(found)], np.uint8).reshape(len(found), -(-height * width // 8))
    return ImageMasks(np.array(sorted(found), np.int64), asked.side, bits)


def see_through(asked: Asked, masks: Mapping[str, ImageMasks]) -> dict[str, NDArray[np.float64]]:
    """Return the model's probability of the label under the masks of every model (n,), by the name of the model.

    What a mask does not keep is blurred as far as `ExtremalPerturbation` blurs.

    Args:
        asked: the model.
        masks: of each model, of any size.
    """
    bench, samples, how = asked.bench(), asked.samples, asked.how
    found = {name: np.full(len(samples.index), np.nan) for name in masks}
    for some in blocks(_in_all(masks.values()), bench.batch_size):
        images, _ = bench.read(samples.index[some])
        blurring = Blurring(images, max(0.5, how.masks.blur * min(asked.side) / 224))
        for name, each in masks.items():
            kept = torch.from_numpy(resized(each.at(some), asked.side).astype(np.float32))
            p = softmax(bench.predict(blurring(kept)))
            found[name][some] = p[np.arange(len(some)), asked.targets(some)]
    return found


def _in_all(masks: Iterable[ImageMasks]) -> NDArray[np.int64]:
    """The rows that have a mask of every model."""
    return reduce(np.intersect1d, (each.rows for each in masks))


def resized(masks: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return rounded masks (n, h, w) of another size: averaged where it is smaller, else interpolated, and rounded."""
    return masks if masks.shape[1:] == size else rounded(interpolated(masks, size))


def interpolated(maps: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return maps (n, h, w) of another size: areas averaged where it is smaller, else interpolated."""
    given: Tensor = torch.from_numpy(maps)[:, None].float()
    return F.interpolate(given, size, mode="bilinear", antialias=True, align_corners=False)[:, 0].numpy()


def all_resized(masks: ImageMasks, size: tuple[int, int]) -> ImageMasks:
    """Return the masks of another size."""
    if masks.size == size:
        return masks
    parts = [ImageMasks.of(rows, resized(masks.at(rows), size)).bits for rows in blocks(masks.rows)]
    return ImageMasks(masks.rows, size, np.concatenate(parts))


def _path(asked: Asked) -> Path | None:
    if asked.how.folder is None:
        return None
    return asked.how.folder / f"{asked.number:04d}.npz"


def _save(path: Path, view: ModelView, key: Mapping[str, Any]) -> None:
    parts = {"predicted": view.predicted, "probability": view.probability, "heatmaps": view.heatmaps}
    optional = {"influence": view.influence, "clusters": view.clusters}
    if view.masks is not None:
        parts |= {"mask_rows": view.masks.rows, "mask_bits": view.masks.bits, "mask_size": np.array(view.masks.size)}
    parts |= {name: values for name, values in optional.items() if values is not None}
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, key=np.array(json.dumps(jsonable(key))), **parts)


def _load(path: Path, key: Mapping[str, Any]) -> tuple[ModelView | None, list[str]]:
    """The stored view if it answers what is asked; otherwise why it does not."""
    if not path.is_file():
        return None, []
    try:
        with np.load(path, allow_pickle=False) as file:
            changes = differences(json.loads(str(file["key"])), key)
            if changes:
                return None, changes
            parts = {name: file[name] for name in file.files if name != "key"}
            if "mask_rows" in parts:
                rows, bits, size = (parts.pop(f"mask_{name}") for name in ("rows", "bits", "size"))
                parts["masks"] = ImageMasks(rows, tuple(size.tolist()), bits)
            return ModelView(**parts), []
    except (OSError, ValueError, KeyError, TypeError, BadZipFile):
        return None, [f"{path.name} is damaged"]
