"""One network, repaired by one method with one seed, assessed, and kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.artifacts import Layered, Transform, is_whole, put_on, redrawn, transform_of
from unhans.callbacks import AClArC, ArtifactAugmentation, MaskRelevance, RightReasons, ValidationCurve
from unhans.clarc import Concept, Correction, corrected
from unhans.effects import drawn
from unhans.experiment.repair.concept_fit import Concepts
from unhans.experiment.repair.repair_task import RepairTask
from unhans.experiment.repair.stored_networks import EVOLUTION, begin_repair, load_outcome, save_outcome
from unhans.repair import CORRECTING, POST_HOC, KnownArtifact, Method, Outcome, Point
from unhans.report.files import save_evolution

WATCHED = 32  # samples whose relevance is followed


def finished_repair(task: RepairTask, method: Method, seed: int) -> Outcome | None:
    """Return the outcome that an earlier run left, if it is of the same network, data, artifact and options."""
    return load_outcome(task.folder(method, seed), task.key(method, seed))


def repair_network(task: RepairTask, method: Method, seed: int) -> Outcome:
    """Repair a network, assess it and keep it in the subject's folder."""
    folder, key, network = task.folder(method, seed), task.key(method, seed), task.start(seed)
    begin_repair(folder, key)
    began, curve, concepts = time.perf_counter(), (), Concepts(task)
    concept = concepts.concept(network, seed) if method in CORRECTING else None
    if method in POST_HOC:
        network = network if concept is None else _projected(task, network, concept, method)
        seconds = 0.0 if concept is None else time.perf_counter() - began
    else:
        fitting = time.perf_counter() - began
        network, training, curve = _fine_tuned(task, network, _callbacks(task, method, seed, concept), seed, folder)
        seconds = fitting + training
    outcome = Outcome(
        method=method,
        seed=seed,
        seconds=seconds,
        assessment=task.assess(network),
        curve=curve,
        folder=folder,
        concept=None if concept is None else concepts.summary(concept),
        weight=task.options.weight if method == "right_reasons" else None,
    )
    return save_outcome(outcome, network, task.subject.data.classes, key, task.subject.out / "config.yaml")


def _projected(task: RepairTask, network: nn.Module, concept: Concept, method: Method) -> nn.Module:
    """The network with a correction layer, without training."""
    reactive = method == "reactive"
    correction = Correction.projective([concept], strength=task.options.strength, reactive=reactive)
    return corrected(network, {concept.layer: correction}).eval()


def _callbacks(task: RepairTask, method: Method, seed: int, concept: Concept | None) -> list[pl.Callback]:
    """What a method adds to plain fine-tuning."""
    known = task.known
    if method == "augmented":
        return [ArtifactAugmentation(OnOthers(known.artifact, known.carriers["train"]), seed=seed)]
    if concept is not None:
        return [AClArC(layer=concept.layer, concept=concept)]
    if method == "right_reasons":
        masks = partial(_masks, known, "train", task.subject.data.image_size)
        return [RightReasons(masks, known.label, weight=task.options.weight)]
    return []


def _fine_tuned(
    task: RepairTask, network: nn.Module, added: Sequence[pl.Callback], seed: int, folder: Path
) -> tuple[nn.Module, float, tuple[Point, ...]]:
    """The network after training, the seconds of it, and the epochs.

    Heatmaps of fixed samples are written to the folder, unless the artifact covers whole images.
    """
    curve = ValidationCurve(task.accuracies)
    watch = None if is_whole(task.known.artifact) else mask_relevance(task)
    callbacks = [curve, *added, *([] if watch is None else [watch])]
    network = task.tuning.tuned(network, task.subject.data, seed, callbacks, folder)
    if watch is not None:
        save_evolution(folder / EVOLUTION, watch.images, watch.mask, watch.index, watch.maps)
    return network.to(task.subject.device), curve.seconds, points_of(curve, watch)


def mask_relevance(task: RepairTask) -> MaskRelevance:
    """Return what follows the relevance inside the artifact, on validation or else training samples that carry it.

    Where none is known to carry it, it is pasted on validation images of its class, or of all where that has none.
    """
    known, subject, data = task.known, task.subject, task.subject.data
    options = {
        "target": known.label,
        "samples": WATCHED,
        "kept": task.options.kept(task.tuning.epochs),
        "attribution": subject.attribution,
        "batch_size": subject.batch_size,
        "seed": subject.seed,
        "on_error": "raise",
    }
    for split, dataset in (("val", data.val_set), ("train", data.train_set)):
        chosen = drawn(np.flatnonzero(known.carriers[split] & ~dataset.unreadable.numpy()), WATCHED, subject.seed)
        if len(chosen):
            return MaskRelevance(
                masks=partial(_masks, known, split, data.image_size), indices=chosen, dataset=dataset, **options
            )
    pool = np.flatnonzero((data.val_set.labels >= 0) & ~data.val_set.unreadable.numpy())
    own = pool[data.val_set.labels[pool] == known.label]
    chosen = drawn(own if len(own) else pool, WATCHED, subject.seed)
    return MaskRelevance(artifact=known.artifact, indices=chosen, dataset=data.val_set, **options)


def _masks(known: KnownArtifact, split: str, side: int, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where the artifact lies on samples of a split (n, H, W); nowhere on those that do not carry it."""
    nowhere, carries = np.zeros((side, side), dtype=bool), known.carriers[split]
    return np.stack([known.mask(split, int(index)) if carries[index] else nowhere for index in indices])


def points_of(curve: ValidationCurve, watch: MaskRelevance | None) -> tuple[Point, ...]:
    """Return the epochs as both callbacks saw them; watch: None where no relevance was followed."""
    shares = {} if watch is None else {point.epoch: point for point in watch.points}
    return tuple(
        Point(epoch, share.mean, clean, added, share.interval)
        if (share := shares.get(epoch))
        else Point(epoch, None, clean, added)
        for epoch, clean, added in curve.points
    )


@dataclass(frozen=True)
class OnOthers:
    """An artifact with nothing to show on the samples that carry it already: two of it would tell them apart.

    carriers: (N,) bool, by the sample's index.
    """

    artifact: Layered
    carriers: NDArray[np.bool_]

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact's layer on this sample: (4, H, W), transparent on a carrier."""
        layer = self.artifact.layer(index, size)
        return torch.zeros_like(layer) if self.carriers[index] else layer

    @property
    def transform(self) -> Transform | None:
        """What the artifact does to whole images; None where it has layers."""
        return transform_of(self.artifact)

    def redrawn(self, epoch: int) -> OnOthers:
        """Return the same of the artifact as it is drawn in an epoch."""
        return OnOthers(redrawn(self.artifact, epoch), self.carriers)

    def put_on(self, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] of samples (n,), those that do not carry the artifact with it."""
        rows = torch.from_numpy(np.flatnonzero(~self.carriers[indices]))
        changed = images.clone()
        changed[rows] = put_on(self.artifact, images[rows], indices[rows.numpy()])
        return changed
