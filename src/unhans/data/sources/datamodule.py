"""The base of all data modules: from labelled images to loaders."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Sampler

from unhans.artifacts import Artifact
from unhans.data.box_files import read_boxes, read_masks
from unhans.data.cleaning_list import read_cleaning_list
from unhans.data.dataset import Batch, EpochShuffle, ImageDataset, LabelVectors, OnCorrupt, Split, collate
from unhans.data.image_io import (
    NAMES,
    Interpolation,
    Preprocessing,
    Resize,
    UnreadableImageError,
    check_degradation,
    complete,
)
from unhans.data.image_list import Collection
from unhans.data.object_boxes import ObjectFile

_RANDOM = re.compile(r"([1-9]\d*) random")
_log = logging.getLogger(__name__)


class ImageData(pl.LightningDataModule, ABC):
    """Labelled images, split, limited and with an artifact in some; subclasses say where they come from.

    After setup() there are train_set, val_set, classes (names) and num_classes.

    Args:
        image_size: pixels of the square a network sees; None is that of the network's weights, or 224.
        batch_size, num_workers: images at once, processes that read them.
        val_share: share of each class for validation where the data has no validation part.
        fold: which part is for validation, from 0; of val_share 0.2 the five parts share no image and hold all.
        seed: decides split, limits, order and flips.
        classes: names of those to use, in this order; "4 random" among them draws four of the others; None is all.
        max_per_class, max_per_class_val: at most so many images per class.
        resize: how images become square: "squash", "crop", "pad" or "mirror" (see `unhans.data.image_io.resize`); None
            is that of the weights where their head is kept, or "squash".
        crop_from: for "crop": pixels of the shorter side from which the square is cut; None as for resize, or all.
        interpolation: between pixels; None as for resize, or "bicubic".
        degrade: how the square is made worse, such as {"jpeg": 20}; see `unhans.data.image_io.degrade`. An artifact
            is planted after it.
        flip: training images are mirrored at random.
        on_corrupt: "skip" reports an unreadable file once and leaves it out, "raise" stops.
        mean, std: per channel, of images in [0, 1]; None are those of the weights, or ImageNet's.
        boxes: where objects lie in the pictures; see `unhans.data.read_boxes`.
        masks: a folder of masks of them in place of boxes; see `unhans.data.read_masks`.
        exclude: a table such as suspects.csv; what its column `path` lists is left out, of one split alone where
            `split` names it. Everything else stays as without it: split, limits, and who carries an artifact.
        artifact: is planted in some images.
        preprocessing: from the number of classes to how the network's weights expect images; other values that are
            given here are used, with a warning.

    Raises:
        ValueError: a number out of range, an unknown class, fewer than two classes, a class without training images, a
            table that lists none of the images; a class without validation images is a warning.
    """

    train_set: ImageDataset
    val_set: ImageDataset
    classes: list[str]

    def __init__(
        self,
        image_size: int | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        val_share: float = 0.2,
        fold: int = 0,
        seed: int = 0,
        classes: Sequence[str] | None = None,
        max_per_class: int | None = None,
        max_per_class_val: int | None = None,
        resize: Resize | None = None,
        crop_from: int | None = None,
        interpolation: Interpolation | None = None,
        degrade: Mapping[str, float] | None = None,
        flip: bool = False,
        on_corrupt: OnCorrupt = "skip",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        boxes: str | Path | None = None,
        masks: str | Path | None = None,
        exclude: str | Path | None = None,
        artifact: Artifact | None = None,
        preprocessing: Callable[[int], Preprocessing | None] = lambda classes: None,
    ) -> None:
        super().__init__()
        self.batch_size, self.num_workers = batch_size, num_workers
        self.val_share, self.fold, self.seed = val_share, fold, seed
        self.chosen = None if classes is None else [str(name) for name in classes]
        self.max_per_class, self.max_per_class_val = max_per_class, max_per_class_val
        self.flip, self.on_corrupt, self.degrade = flip, on_corrupt, dict(degrade or {})
        self.given = Preprocessing(image_size, mean, std, resize, crop_from, interpolation)
        self.preprocessing = preprocessing
        self._prepare(complete(self.given, None))
        self.boxes, self.masks = boxes, masks
        self.exclude, self.artifact = exclude, artifact
        self.relabelled = False
        self._reported: set[str] = set()
        _check(self)

    @abstractmethod
    def load(self) -> tuple[Collection, Collection | None]:
        """Return all training images, and all validation images of the same classes where the data has them."""

    @property
    def several(self) -> bool:
        """Whether an image may belong to several classes, after setup()."""
        return self.train_set.held is not None

    @property
    def num_classes(self) -> int:
        """The number of classes, after setup()."""
        return len(self.classes)

    def setup(self, stage: str | None = None) -> None:
        """Make the data sets, once."""
        if hasattr(self, "train_set"):
            return
        listed = None if self.exclude is None else read_cleaning_list(self.exclude, "data.exclude")
        train, val = self.load()
        if val is None:
            train, val = train.split(self.val_share, self.seed, self.fold)
        elif self.fold:
            raise ValueError(f"data.fold={self.fold} chooses what is split off, but these data have validation images")
        names = drawn_classes(self.chosen or train.classes, train.classes, self.seed)
        self._prepare_for(self.preprocessing(len(names)))
        train = self._readable(train.of_classes(names).at_most(self.max_per_class, self.seed))
        val = self._readable(val.of_classes(names).at_most(self.max_per_class_val, self.seed))
        _check_classes(train, val)
        if self.artifact is not None:
            self.artifact.look(0, self.image_size)  # one that does not fit must stop the run now
        self.train_set, self.val_set = self._dataset(train, "train"), self._dataset(val, "val")
        if listed is not None:
            left = listed.other_rows(self.train_set, self.val_set)
            self.train_set, self.val_set = self.train_set.take(left["train"]), self.val_set.take(left["val"])
        self.classes = names

    def objects(self) -> ObjectFile | None:
        """Read where objects lie in the pictures; None where neither boxes nor masks are given.

        Raises:
            FileNotFoundError, ValueError: the file is missing or of another form, or both are given.
        """
        if self.boxes is not None and self.masks is not None:
            raise ValueError("data.boxes and data.masks both tell where objects lie; give one of them.")
        if self.boxes is not None:
            return read_boxes(self.boxes)
        return None if self.masks is None else read_masks(self.masks)

    def relabel(self, labels: Sequence[int], classes: Sequence[str]) -> None:
        """Give the images the labels of a wider head: class i is output `labels[i]` of those that have these names.

        Classes without images are among `classes` then; the artifact's target stays the class it is.
        """
        if self.artifact is not None:
            self.artifact.target = classes[labels[self.artifact.target_index(self.classes)]]
        self.train_set, self.val_set = (each.with_labels(labels, classes) for each in (self.train_set, self.val_set))
        self.classes, self.relabelled = list(classes), True

    def _prepare_for(self, wanted: Preprocessing | None) -> None:
        """Take over how the weights expect images, and warn where it was given otherwise."""
        self._prepare(complete(self.given, wanted))
        different = {} if wanted is None else wanted.differences(self.given)
        if different:
            _log.warning(
                "%s; %s expects the latter, and its accuracy and heatmaps may suffer. null takes its value.",
                ", ".join(
                    f"data.{name} is {_said(own)} instead of {_said(to)}" for name, (own, to) in different.items()
                ),
                wanted.source,
            )

    def _prepare(self, values: dict[str, Any]) -> None:
        for name in NAMES:
            setattr(self, name, values[name])
        self.mean, self.std = tuple(self.mean), tuple(self.std)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return all training images in a new order each epoch."""
        dataset = _each_once(self.train_set)
        return self._loader(dataset, EpochShuffle(dataset, self.seed))

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return all validation images in their order."""
        return self._loader(_each_once(self.val_set))

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Report what loader processes could not read; Lightning calls this in the main process."""
        self.report_unreadable()
        return batch

    def teardown(self, stage: str) -> None:
        """Report what was found unreadable after the last batch."""
        self.report_unreadable()

    def report_unreadable(self) -> None:
        """Log each path that could not be read and was not reported before."""
        for dataset in (self.train_set, self.val_set):
            self._report(dataset.paths[index] for index in dataset.unreadable.nonzero().flatten().tolist())

    def _report(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path not in self._reported:
                self._reported.add(path)
                _log.warning("an image that cannot be read is skipped: %s", path)

    def _readable(self, collection: Collection) -> Collection:
        readable = collection.images.readable()
        broken = [collection.images.paths[index] for index in np.flatnonzero(~readable)]
        if broken and self.on_corrupt == "raise":
            raise UnreadableImageError(f"an image file must be readable, got {broken[0]} (data.on_corrupt is raise)")
        self._report(broken)
        return collection.take(np.flatnonzero(readable))

    def _dataset(self, collection: Collection, split: Split) -> ImageDataset:
        return ImageDataset(
            collection,
            **{name: getattr(self, name) for name in NAMES},
            flip=self.flip and split == "train",
            seed=self.seed,
            artifact=self.artifact,
            split=split,
            on_corrupt=self.on_corrupt,
            degrade=self.degrade,
        )

    def _loader(self, dataset: ImageDataset | LabelVectors, sampler: Sampler[int] | None = None) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            generator=torch.Generator().manual_seed(self.seed),  # else a loader draws from the global state
        )


def _each_once(dataset: ImageDataset) -> ImageDataset | LabelVectors:
    """The data set as a network trains on it: an image that belongs to several classes is there once."""
    return dataset if dataset.held is None else LabelVectors(dataset)


def _said(value: Any) -> str:
    return str(value) if isinstance(value, (int, str)) else f"[{', '.join(f'{each:g}' for each in value)}]"


def _check(data: ImageData) -> None:
    least = {"image_size": 1, "batch_size": 1, "num_workers": 0, "seed": 0, "max_per_class": 1, "max_per_class_val": 1}
    for name, bound in least.items():
        value = getattr(data, name)
        if value is not None and value < bound:
            raise ValueError(f"data.{name} must be {bound} or more, got {value}")
    choices = {"resize": get_args(Resize), "interpolation": get_args(Interpolation), "on_corrupt": get_args(OnCorrupt)}
    for name, allowed in choices.items():
        if getattr(data, name) not in allowed:
            raise ValueError(f"data.{name} must be one of {', '.join(allowed)}, got {getattr(data, name)!r}")
    check_degradation(data.degrade)
    if data.crop_from is not None and (data.resize != "crop" or data.crop_from < data.image_size):
        raise ValueError(
            f"data.crop_from is for data.resize=crop and must be data.image_size={data.image_size} or more, "
            f"got {data.crop_from} with data.resize={data.resize}"
        )
    if not 0 < data.val_share < 1:
        raise ValueError(f"data.val_share must lie between 0 and 1, got {data.val_share}")
    folds = int(1 / data.val_share + 1e-9)
    if not 0 <= data.fold < folds:
        raise ValueError(f"data.fold must be 0 to {folds - 1} for data.val_share={data.val_share}, got {data.fold}")
    if len(data.mean) != 3 or len(data.std) != 3 or min(data.std) <= 0:
        raise ValueError(
            f"data.mean and data.std must be three numbers each, std above 0, got {data.mean} and {data.std}"
        )


def drawn_classes(chosen: Sequence[str], known: Sequence[str], seed: int) -> list[str]:
    """Return the names of classes with "4 random" among them replaced by four others, drawn by the seed [000 §3.3].

    A class that is called so itself is meant where there is one.

    Raises:
        ValueError: there are not as many others.
    """
    left = [name for name in known if name not in chosen]
    left = [left[k] for k in np.random.default_rng([seed, 41]).permutation(len(left))]
    names: list[str] = []
    for name in chosen:
        found = None if name in known else _RANDOM.fullmatch(name)
        if found is None:
            names.append(name)
            continue
        count = int(found[1])
        if count > len(left):
            raise ValueError(
                f"data.classes expects at most {len(left)} random classes beside those named, got {name!r}"
            )
        names += left[:count]
        left = left[count:]
    return names


def _check_classes(train: Collection, val: Collection) -> None:
    if len(train.classes) < 2:
        raise ValueError(f"training needs at least two classes, got {len(train.classes)}: {', '.join(train.classes)}")
    for name, n_train, n_val in zip(train.classes, train.counts(), val.counts(), strict=True):
        if n_train == 0:
            raise ValueError(f"each class needs training images, got none that can be read for {name!r}")
        if n_val == 0:
            _log.warning("class %r has no validation images: its validation accuracy says nothing", name)
