"""How a proven reason is taken away before the next training: pasted on all images, blurred, or by A-ClArC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.artifacts import Remove, covered_by
from unhans.callbacks import AClArC, ArtifactAugmentation, SpRAyAudit, concept_of
from unhans.effects import Case
from unhans.isolation import Detector, Isolated, from_record, record_of
from unhans.repair import ProvenArtifact
from unhans.terminal import ConfigurationError

Route = Literal["paste", "blur", "a_clarc"]


@dataclass(frozen=True)
class TakenReason:
    """An artifact that is taken away.

    Attributes:
        artifact: with the samples that carry it; with its concept where it is taken away in feature space.
        detector: finds it in images; None where it is not blurred.
    """

    artifact: ProvenArtifact
    detector: Detector | None = None

    def state(self) -> dict[str, Any]:
        """Return it as plain values and tensors, for a file."""
        detector = None if self.detector is None else record_of(self.detector)
        return {"artifact": self.artifact.state(), "detector": detector}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TakenReason:
        """Return what `state` made plain."""
        detector = None if state["detector"] is None else from_record(state["detector"])
        return cls(ProvenArtifact.from_state(state["artifact"]), detector)


def taken_from(
    case: Case, audit: SpRAyAudit, network: nn.Module, route: Route, before: Sequence[TakenReason]
) -> TakenReason:
    """Return what is needed to take the artifact of a proven case away.

    Args:
        case: of the audit.
        audit: of the network.
        network: that is proven to use it.
        route: how it is taken away.
        before: what was taken away already; in feature space all are at one layer, below which the network is frozen.

    Raises:
        ValueError: it cannot be taken away like this.
    """
    index = audit.samples_of(case.label)
    index = index[~audit.dataset.unreadable.numpy()[index]]
    found = ProvenArtifact.from_case(case, index, 0)
    if route == "blur" and found.isolated.kind == "global":
        raise ConfigurationError(f"what is done to whole images of class {case.name!r} has no place to be blurred.")
    if route == "a_clarc":
        layer = before[0].artifact.concept.layer if before else "auto"
        found.concept = concept_of(found, audit, network, layer)
    if audit.source != "train":
        found.affected = found.affected[:0]  # they are no training images
    return TakenReason(found, case.isolated.detector if route == "blur" else None)


def callbacks_of(route: Route, taken: Sequence[TakenReason], seed: int, previous: Path) -> list[pl.Callback]:
    """Return what takes reasons away while the next network is trained.

    Args:
        route: how.
        taken: all of them, the first one first; none for the first network.
        seed: of what is drawn.
        previous: checkpoint of the network before, which A-ClArC goes on with.
    """
    if not taken:
        return []
    if route == "a_clarc":
        return [StartFrom(previous), *(AClArC(concept=each.artifact.concept) for each in taken)]
    if route == "blur":
        return [ArtifactAugmentation([Blurred(each.artifact.isolated, each.detector) for each in taken], seed=seed)]
    callback = ArtifactAugmentation(seed=seed)
    for each in taken:
        callback.add(each.artifact.isolated, spared=each.artifact.affected)
    return [callback]


class StartFrom(pl.Callback):
    """Begins a training with the weights of a checkpoint, and nothing else of it.

    Args:
        ckpt: of a training of the same network.
    """

    def __init__(self, ckpt: Path) -> None:
        self.ckpt = ckpt

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Load the weights."""
        if stage == "fit":
            pl_module.load_state_dict(torch.load(self.ckpt, map_location="cpu", weights_only=False)["state_dict"])


@dataclass(frozen=True)
class Blurred:
    """Blurs the place of an artifact on every image: where it is found, else where it would lie.

    So the blur itself says nothing about a class. What is blurred over it is what lies around it (`Remove`, "blur").

    Attributes:
        isolated: the artifact, with a layer.
        detector: finds it, where it changes its place; None: it is not looked for.
    """

    isolated: Isolated
    detector: Detector | None = None

    def redrawn(self, epoch: int) -> Blurred:
        """Return the same whose places, where the artifact is not found, are drawn anew for an epoch."""
        return replace(self, isolated=self.isolated.redrawn(epoch))

    def put_on(self, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] of samples (n,), blurred there."""
        masks = covered_by(self.isolated, indices, tuple(images.shape[-2:]))
        if self.detector is not None and self.isolated.kind == "free":
            found = self.detector.match(images.detach().cpu()).masks
            masks = np.where(found.any((1, 2))[:, None, None], found, masks)
        return torch.stack([Remove(mask, "blur")(image) for image, mask in zip(images, masks, strict=True)])
