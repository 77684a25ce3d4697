"""The images of an influence analysis: queries, the training images that are ranked, and who carries an artifact."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.class_names import class_index
from unhans.data import TrainValUnion, draw_per_class, fingerprint_of, read_batches, read_cleaning_list
from unhans.experiment.repair import affected_of
from unhans.experiment.run import Subject
from unhans.harness import planted_in
from unhans.influence import Training
from unhans.store import plain_text
from unhans.terminal import ConfigurationError

Source = Literal["planted", "suspects", "effects"]
OPTION = "analysis.suspects"
CLUSTERED = 200  # images of a class whose gradients are clustered, at most
TRAINING, VALIDATION = 0, 1  # parts of `TrainValUnion`
CHOSEN = {"train": (TRAINING,), "val": (VALIDATION,), "union": (TRAINING, VALIDATION)}


@dataclass(frozen=True)
class InfluenceSamples:
    """Which images are read, by their index among the training and validation images.

    Attributes:
        subject: the network and its data.
        images: training images, then validation images, without augmentation, with their planted artifact.
        carriers: which of them carry an artifact of their class (N,); None where nobody knows.
        source: where that is known from.
        queries: by label, validation images of the class and training images that carry its artifact.
        training: the training images that are ranked.
    """

    subject: Subject
    images: TrainValUnion
    carriers: NDArray[np.bool_] | None
    source: Source | None
    queries: Mapping[int, NDArray[np.int64]]
    training: NDArray[np.int64]

    def ranked(self, index: NDArray[np.int64]) -> Training:
        """Return training images with what is known of them."""
        return Training(index, self.images.labels[index], None if self.carriers is None else self.carriers[index])

    def clustered(self, label: int) -> NDArray[np.int64]:
        """Return the images of a class in the chosen split that are clustered, 200 at most: gradients are large."""
        limit = min(self.subject.samples_per_class or CLUSTERED, CLUSTERED)
        parts = np.isin(self.images.split, CHOSEN[self.subject.split])
        labels = np.where(parts & (self.images.labels == label), label, -1)
        return draw_per_class(labels, limit, self.subject.seed).get(label, labels[:0])

    def is_known(self, label: int) -> bool:
        """Tell whether some images of a class are known to carry an artifact."""
        return self.carriers is not None and bool(self.carriers[self.images.labels == label].any())

    def read(self, indices: NDArray[np.int64], kept: list[NDArray[np.int64]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Give batches of images and labels that can be read, on the device; `kept` gets their indices (b,)."""
        device = self.subject.device
        for images, index, _ in read_batches(self.images, indices, self.subject.batch_size):
            if len(index):
                kept.append(index)
                yield images.to(device), torch.as_tensor(self.images.labels[index]).to(device)

    def fingerprint(self, indices: NDArray[np.int64]) -> str:
        """Return a digest of what these images look like to the network."""
        return fingerprint_of(self.images, indices)


def influence_samples(
    subject: Subject, classes: Sequence[str] | None, queries: int, suspects: str | None, effects: str | None
) -> InfluenceSamples:
    """Choose the images.

    Args:
        subject: the network and its data; at most `samples_per_class` training images of each class are ranked.
        classes: names of the classes that queries are drawn from; None is all.
        queries: validation images of a class, at most, each of those with and without the artifact; as many of its
            training images that carry it.
        suspects: a table whose samples count as carriers.
        effects: the folder of analysis=effect, whose isolated artifacts are looked for in all images.

    Raises:
        ValueError or OSError: in one sentence, for unknown classes, classes without images, and tables and folders that
            tell nothing about the training images.
    """
    if suspects is not None and effects is not None:
        raise ConfigurationError("analysis.suspects and analysis.effects exclude each other: both tell the carriers.")
    names = subject.data.classes
    images = TrainValUnion(subject.data.train_set, subject.data.val_set)
    present = sorted(set(images.labels.tolist()) - {-1, -2})
    wanted = present if classes is None else [class_index(str(name), names, "analysis.classes") for name in classes]
    drawn = draw_per_class(
        np.where(images.split == TRAINING, images.labels, -1), subject.samples_per_class, subject.seed
    )
    training = np.sort(np.concatenate(list(drawn.values())))
    for label in wanted:
        if label not in drawn:
            raise ConfigurationError(
                f"class {names[label]!r} has no training images that its queries could be held to."
            )
    carriers, source = _known(subject, images, wanted, suspects, effects)
    limit = min(queries, subject.samples_per_class or queries)
    found = _queries(images, carriers, training, limit, subject.seed)
    without = [label for label in wanted if label not in found]
    if classes is not None and without:
        raise ConfigurationError(
            f"class {names[without[0]]!r} has no validation images that queries could be drawn from."
        )
    chosen = {label: found[label] for label in wanted if label in found}
    if not chosen:
        raise ConfigurationError("queries are validation images, but the data hold none.")
    return InfluenceSamples(subject, images, carriers, source, chosen, training)


def _queries(
    images: TrainValUnion, carriers: NDArray[np.bool_] | None, training: NDArray[np.int64], limit: int, seed: int
) -> dict[int, NDArray[np.int64]]:
    """Draw so many of each class and group: validation images with and without, ranked training images with."""
    known = np.zeros(len(images.labels), bool) if carriers is None else carriers
    asked = images.split == VALIDATION
    asked[training[known[training]]] = True
    groups = np.where(asked & (images.labels >= 0), 4 * images.labels + 2 * images.split + known, -1)
    drawn = draw_per_class(groups, limit, seed)
    labels = sorted({group // 4 for group in drawn})
    return {label: np.concatenate([rows for group, rows in drawn.items() if group // 4 == label]) for label in labels}


def _known(
    subject: Subject, images: TrainValUnion, wanted: Sequence[int], suspects: str | None, effects: str | None
) -> tuple[NDArray[np.bool_] | None, Source | None]:
    """Return who carries an artifact of its class, and where that is known from."""
    if suspects is not None:
        return _listed(subject, suspects), "suspects"
    if effects is not None:
        return _isolated(subject, effects, wanted), "effects"
    return (None, None) if planted_in(images) is None else (images.carriers, "planted")


def _listed(subject: Subject, file: str) -> NDArray[np.bool_]:
    listed = read_cleaning_list(file, OPTION)
    with Path(file).expanduser().open(newline="", encoding="utf-8-sig", errors="surrogateescape") as table:
        for row in csv.DictReader(table):
            if name := plain_text(row.get("class") or ""):
                class_index(name, subject.data.classes, f"{OPTION} ({file})")
    rows = listed.rows(subject.data.train_set, subject.data.val_set)
    if not rows["train"].any():
        raise ConfigurationError(
            f"{OPTION} expects training images, which are ranked, got validation images alone in {file}; take a table "
            "of split=train or split=union."
        )
    return np.concatenate([rows["train"], rows["val"]])


def _isolated(subject: Subject, folder: str, wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Look for the isolated artifact of every wanted class that has one."""
    found, reasons = [], []
    for label in wanted:
        try:
            carriers = affected_of(subject, folder, label).carriers
        except ConfigurationError as error:
            reasons.append(error)
        else:
            found.append(np.concatenate([carriers["train"], carriers["val"]]))
    if not found:
        raise reasons[0]
    return np.any(found, axis=0)
