"""One network, repaired by one method with one seed, assessed, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.artifacts import Layered, is_whole, put_on, transform_of
from unhans.artifacts.transforms import Transform
from unhans.callbacks import AClArC, ArtifactAugmentation, MaskRelevance, RightReasons, ValidationCurve
from unhans.clarc import Correction, corrected
from unhans.effects import drawn
from unhans.experiment.repair.concept_fit import Concepts
from unhans.experiment.repair.evaluation import Assessing
from unhans.experiment.repair.fine_tuning import FineTuning
from unhans.experiment.repair.outcome_store import Keys, begin_repair, load_outcome, repair_files, save_outcome
from unhans.experiment.repair.repair_options import Settings
from unhans.experiment.run import Subject
from unhans.harness import Affected
from unhans.repair import POST_HOC, Method, Outcome, Point
from unhans.report.files import save_evolution

FIXED = 32  # samples whose relevance is followed


class Addition(NamedTuple):
    """What a method adds: callbacks, what was chosen, and the seconds that it took before training."""

    callbacks: tuple[pl.Callback, ...] = ()
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Tutoring:
    """Fine-tunes networks, so that they unlearn an artifact or, for comparison, may keep it."""

    subject: Subject
    tuning: FineTuning
    affected: Affected
    settings: Settings
    concepts: Concepts
    assessing: Assessing

    def taught(
        self, network: nn.Module, method: Method, seed: int, folder: Path
    ) -> tuple[nn.Module, float, str, tuple[Point, ...]]:
        """Return the network after training, the seconds of it, what was chosen, and the epochs.

        Heatmaps of fixed samples are written to `folder/evolution.npz`, unless the artifact covers whole images.
        """
        added = self._additions[method](network, seed)
        curve = ValidationCurve(self.assessing.accuracies)
        watch = None if is_whole(self.affected.artifact) else self._watch()
        callbacks = [curve, *added.callbacks, *([] if watch is None else [watch])]
        network = self.tuning.tuned(network, self.subject.data, seed, callbacks, folder)
        if watch is not None:
            save_evolution(folder / "evolution.npz", watch.images, watch.mask, watch.index, watch.maps)
        points = points_of(curve, watch)
        return network.to(self.subject.device), curve.seconds + added.seconds, added.note, points

    @property
    def _additions(self) -> dict[Method, Callable[[nn.Module, int], Addition]]:
        return {
            "unaltered": lambda network, seed: Addition(),
            "augmented": self._augmented,
            "a_clarc": self._a_clarc,
            "right_reasons": self._right_reasons,
        }

    def _augmented(self, network: nn.Module, seed: int) -> Addition:
        artifact = OnOthers(self.affected.artifact, self.affected.carriers["train"])
        return Addition((ArtifactAugmentation(artifact, seed=seed),))

    def _a_clarc(self, network: nn.Module, seed: int) -> Addition:
        began = time.perf_counter()
        concept = self.concepts.concept(network, seed)
        seconds = time.perf_counter() - began
        return Addition((AClArC(layer=concept.layer, concept=concept),), self.concepts.note(concept), seconds)

    def _right_reasons(self, network: nn.Module, seed: int) -> Addition:
        callback = RightReasons(self._masks, self.affected.label, weight=self.settings.weight)
        return Addition((callback,), f"weight {self.settings.weight:g}")

    def _masks(self, indices: NDArray[np.int64]) -> Tensor:
        """Where the artifact lies on training samples (n, H, W); nowhere on those that do not carry it."""
        one, side = self.affected, self.subject.data.image_size
        nowhere = np.zeros((side, side), dtype=bool)
        carried = (bool(one.carriers["train"][index]) for index in indices)
        masks = [one.mask("train", int(i)) if carries else nowhere for i, carries in zip(indices, carried, strict=True)]
        return torch.from_numpy(np.stack(masks))

    def _watch(self) -> MaskRelevance:
        """Follow the relevance inside the artifact on validation samples that carry it, else on training samples.

        Where none is known to carry it, it is pasted on validation images of its class, or of all where that has none.
        """
        one, data, settings = self.affected, self.subject.data, self.settings
        options = {
            "target": one.label,
            "samples": FIXED,
            "kept": (*settings.keep, self.tuning.epochs),
            "attribution": self.subject.attribution,
            "batch_size": self.subject.batch_size,
            "seed": self.subject.seed,
            "on_error": "raise",
        }
        for split, dataset in (("val", data.val_set), ("train", data.train_set)):
            chosen = drawn(np.flatnonzero(one.carriers[split] & ~dataset.unreadable.numpy()), FIXED, self.subject.seed)
            if len(chosen):
                masks = partial(_masks_of, one, split)
                return MaskRelevance(masks=masks, indices=chosen, dataset=dataset, **options)
        pool = np.flatnonzero((data.val_set.labels >= 0) & ~data.val_set.unreadable.numpy())
        own = pool[data.val_set.labels[pool] == one.label]
        chosen = drawn(own if len(own) else pool, FIXED, self.subject.seed)
        return MaskRelevance(artifact=one.artifact, indices=chosen, dataset=data.val_set, **options)


def points_of(curve: ValidationCurve, watch: MaskRelevance | None) -> tuple[Point, ...]:
    """Return the epochs as both callbacks saw them; watch: None where no relevance was followed."""
    shares = {} if watch is None else {point.epoch: point for point in watch.points}
    found = [(shares.get(epoch), epoch, clean, added) for epoch, clean, added in curve.points]
    return tuple(
        Point(epoch, None, clean, added) if share is None else Point(epoch, share.mean, clean, added, share.interval)
        for share, epoch, clean, added in found
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

    def put_on(self, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] of samples (n,), those that do not carry the artifact with it."""
        rows = torch.from_numpy(np.flatnonzero(~self.carriers[indices]))
        changed = images.clone()
        changed[rows] = put_on(self.artifact, images[rows], indices[rows.numpy()])
        return changed


def _masks_of(affected: Affected, split: str, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.stack([affected.mask(split, int(index)) for index in indices])


@dataclass(frozen=True)
class Repaired:
    """A repaired network: the seconds that it took, what was chosen, and its epochs."""

    network: nn.Module
    seconds: float = 0.0
    note: str = ""
    curve: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Repairing:
    """Repairs a network of one artifact by any method; what is finished is kept in the subject's folder."""

    keys: Keys

    def finished(self, method: Method, seed: int) -> Outcome | None:
        """Return the outcome that an earlier run left, if it is of the same network, data, artifact and settings."""
        return load_outcome(repair_files(self._out, method, seed), self.keys.of(method, seed))

    def outcome(self, method: Method, seed: int) -> Outcome:
        """Repair a network, assess it and keep it."""
        files, key = repair_files(self._out, method, seed), self.keys.of(method, seed)
        begin_repair(files, key)
        done = self._repaired(method, seed, files.folder)
        assessment = self._assessing.assess(done.network)
        outcome = Outcome(method, seed, done.seconds, assessment, done.note, done.curve, files.folder)
        save_outcome(files, outcome, done.network, self.keys.subject.data.classes, key, self._out / "config.yaml")
        return outcome

    @property
    def _out(self) -> Path:
        return self.keys.subject.out

    @property
    def _assessing(self) -> Assessing:
        return Assessing(self.keys.subject, self.keys.affected, self.keys.settings.images)

    @property
    def _concepts(self) -> Concepts:
        return Concepts(self.keys.subject, self.keys.affected, self.keys.settings)

    def _repaired(self, method: Method, seed: int, folder: Path) -> Repaired:
        network = self.keys.start.network(seed)
        if method == "uncorrected":
            return Repaired(network)
        if method in POST_HOC:
            return self._corrected(network, method, seed)
        one = self.keys
        tutoring = Tutoring(one.subject, one.tuning, one.affected, one.settings, self._concepts, self._assessing)
        return Repaired(*tutoring.taught(network, method, seed, folder))

    def _corrected(self, network: nn.Module, method: Method, seed: int) -> Repaired:
        """Put a correction layer into a network, without training."""
        began = time.perf_counter()
        concept = self._concepts.concept(network, seed)
        correction = Correction.projective(
            [concept], strength=self.keys.settings.strength, reactive=method == "reactive"
        )
        repaired = corrected(network, {concept.layer: correction}).eval()
        return Repaired(repaired, time.perf_counter() - began, self._concepts.note(concept))
