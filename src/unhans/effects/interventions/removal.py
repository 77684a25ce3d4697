"""Taking an artifact away from affected samples, and the control [000 §3.2]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import PAINTERS, Layered, Material, Remove, check_fill, check_mask, is_whole, transform_of
from unhans.effects.bench import Bench, Change, measure
from unhans.effects.effect import Trial, trial
from unhans.effects.interventions.controls import draw_donors, moved
from unhans.effects.interventions.transform_controls import opposite

_SHIFTS, _NEIGHBOURS = 21, 22  # tags of what is drawn
_SEEN = 0.05  # alpha from which a pixel of a layer is part of the artifact
CONTROL = "elsewhere"

Masks = Callable[[int], NDArray[np.bool_]]
Truth = Callable[[int], Tensor]


@dataclass(frozen=True)
class Subtraction:
    """How an artifact is taken away.

    Attributes:
        masks: where it lies on a sample.
        others: samples of other classes, for the fill "neighbour".
        truth: a sample's image without the artifact.
    """

    bench: Bench
    artifact: Layered
    masks: Masks
    others: NDArray[np.int64]
    truth: Truth | None = None

    def change(self, fill: str, elsewhere: bool = False) -> Change:
        """Return the change that fills the masks or, for the control, the masks moved elsewhere.

        A transform is undone; its control is as large a change in the other direction.
        """
        transform = transform_of(self.artifact)
        if fill == "undo" and transform is not None:
            return opposite(transform, undo=True) if elsewhere else lambda images, indices: transform.undo(images)

        def apply(images: Tensor, indices: NDArray[np.int64]) -> Tensor:
            neighbours: Sequence[Tensor | None] = [None] * len(indices)
            if fill == "neighbour":
                neighbours = draw_donors(self.bench, self.others, _NEIGHBOURS, indices)[0]
            rows = zip(images, map(int, indices), neighbours, strict=True)
            return torch.stack([self._removed(*row, fill=fill, elsewhere=elsewhere) for row in rows])

        return apply

    def trials(self, label: int, indices: NDArray[np.int64], fills: Sequence[str]) -> tuple[Trial, ...]:
        """Return one trial per fill and then the control: the same masks filled elsewhere.

        The control fills as the first fill does, or by Telea where that is "truth" or "unblend"; that of a transform is
        always the opposite of undoing it.
        """
        first = "undo" if is_whole(self.artifact) else fills[0]
        control = first if first in (*PAINTERS, "neighbour", "undo") else "telea"
        changes = {fill: self.change(fill) for fill in fills} | {CONTROL: self.change(control, elsewhere=True)}
        measured = measure(self.bench, indices, changes)
        before, kept, seed = measured.before, measured.indices, self.bench.seed
        return tuple(
            trial(name, before, after, label, kept, seed, lost=True, detail=control if name == CONTROL else "")
            for name, after in measured.after.items()
        )

    def _removed(self, image: Tensor, index: int, neighbour: Tensor | None, fill: str, elsewhere: bool) -> Tensor:
        mask = self.masks(index)
        if elsewhere:
            mask = moved(mask, np.random.default_rng([self.bench.seed, _SHIFTS, index]))
        layer = self.artifact.layer(index, tuple(image.shape[-2:])) if fill == "unblend" else None
        truth = self.truth(index) if fill == "truth" and self.truth is not None else None
        return Remove(mask, fill, Material(neighbour, truth, layer))(image)


def masks_of(artifact: Layered, size: tuple[int, int]) -> Masks:
    """Return where an artifact lies on the samples: where its layer there is visible."""
    if is_whole(artifact):
        return lambda index: np.ones(size, dtype=bool)
    return lambda index: (artifact.layer(index, size)[3] > _SEEN).numpy()


def located(indices: NDArray[np.int64], masks: Masks) -> NDArray[np.int64]:
    """Return the samples on which the artifact lies somewhere; ValueError for a mask that covers everything."""
    kept = []
    for index in map(int, indices):
        mask = masks(index)
        if mask.any():
            check_mask(mask, f" of sample {index}")
            kept.append(index)
    return np.array(kept, dtype=np.int64)


def check_fills(fills: Sequence[str], artifact: Layered, truth: Truth | None) -> tuple[str, ...]:
    """Return the fills, each once; ValueError for an unknown one, none, and one that cannot be used here.

    An artifact of whole images leaves nothing to fill from: every fill but "truth" becomes "undo".
    """
    whole = is_whole(artifact)
    names = tuple(dict.fromkeys("undo" if whole and check_fill(fill) != "truth" else fill for fill in fills))
    for name in names:
        check_fill(name)
    if "undo" in names and not whole:
        raise ValueError("the fill 'undo' needs an artifact of whole images, got one that covers a part of them")
    if not names:
        raise ValueError("the removal of an artifact needs at least one fill, got none")
    if "truth" in names and truth is None:
        raise ValueError(
            "the fill 'truth' needs the images without the artifact, and they are known of planted ones only"
        )
    if "unblend" in names and getattr(artifact, "kind", "fixed") != "fixed":
        raise ValueError("the fill 'unblend' needs an artifact that lies at one fixed place, got a free one")
    return names
