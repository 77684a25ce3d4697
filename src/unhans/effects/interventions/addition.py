"""Pasting an artifact on samples of other classes, and its controls [000 §3.2]."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Layered, blend, layers_of, put_on, transform_of
from unhans.effects.bench import Bench, Change, Measurement, measure
from unhans.effects.effect import Trial, softmax, trial
from unhans.effects.interventions.controls import (
    draw_donors,
    filled,
    is_uniform,
    mean_colour,
    random_colour,
    strongest_other,
)
from unhans.effects.interventions.transform_controls import controls_of

PATCH = "patch of the class"
_COLOURS, _DONORS = 11, 12  # tags of what is drawn
Draw = Callable[[NDArray[np.int64]], tuple[Tensor, NDArray[np.int64]]]
_LOOKED_AT = 16  # layers that tell whether the artifact has one colour


def add(
    bench: Bench,
    artifact: Layered,
    label: int,
    indices: NDArray[np.int64],
    unaffected: NDArray[np.int64],
    size: tuple[int, int],
    controls: bool = True,
) -> tuple[Trial, ...]:
    """Paste the artifact on samples of other classes; return its trial and, where wanted, those of its controls.

    The controls are pasted on the same samples with the same alpha. "mean colour": the layer in its mean colour or,
    where it has but one colour, "random colour": in one drawn for each sample. "area averaged": the pixels that the
    artifact would cover in their own mean colour, which takes away what lies there and adds nothing. "patch of the
    class": the pixels at this place of a random unaffected sample of the class (left out where there is none). "other
    classes": the effect of the artifact itself on that other class which gains most, on samples that are not of it
    (left out where there are two classes only). An artifact of whole images has the controls of `controls_of` instead,
    and "other classes".
    """
    donors: dict[int, int] = {}
    changes = {"artifact": pasted(artifact)}
    if controls:
        changes |= _controls(bench, artifact, indices, unaffected, size, donors)
    measured = measure(bench, indices, changes)
    lent = np.array([donors[int(index)] for index in measured.indices]) if donors else None
    trials = [
        trial(name, measured.before, after, label, measured.indices, bench.seed, donors=lent if name == PATCH else None)
        for name, after in measured.after.items()
    ]
    return (*trials, *(_other_classes(bench, measured, label) if controls else ()))


def pasted(artifact: Layered, alter: Callable[[Tensor, Tensor, int], Tensor] | None = None) -> Change:
    """Return the change that puts the artifact on images; alter: its layer, the image and its index → another layer."""

    def change(images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        if alter is None:
            return put_on(artifact, images, indices)
        layers = layers_of(artifact, indices, tuple(images.shape[-2:]))
        altered = [alter(*row) for row in zip(layers, images, map(int, indices), strict=True)]
        return blend(images, torch.stack(altered))

    return change


def _controls(
    bench: Bench,
    artifact: Layered,
    indices: NDArray[np.int64],
    unaffected: NDArray[np.int64],
    size: tuple[int, int],
    donors: dict[int, int],
) -> dict[str, Change]:
    """The changes that the artifact's is held against; donors: is told who lent pixels to whom."""
    transform = transform_of(artifact)
    if transform is not None:
        examples, _ = bench.read(np.asarray(indices[: min(_LOOKED_AT, bench.batch_size)]))
        return controls_of(transform, examples, bench.seed)
    averaged = pasted(artifact, lambda layer, image, index: mean_colour(filled(layer, image)))
    changes = {**_colours(bench, artifact, indices, size), "area averaged": averaged}
    if len(unaffected):
        changes[PATCH] = _patch(artifact, partial(draw_donors, bench, np.asarray(unaffected), _DONORS), donors)
    return changes


def _colours(bench: Bench, artifact: Layered, indices: NDArray[np.int64], size: tuple[int, int]) -> dict[str, Change]:
    """The control that keeps the area and loses the picture: the mean colour, or a random one where layers have one.

    The same for all samples, so that its name says what it is; a layer of one colour would be its own mean.
    """
    if any(is_uniform(layer) for layer in layers_of(artifact, indices[:_LOOKED_AT], size)):

        def one_colour(layer: Tensor, image: Tensor, index: int) -> Tensor:
            return random_colour(layer, np.random.default_rng([bench.seed, _COLOURS, index]))

        return {"random colour": pasted(artifact, one_colour)}
    return {"mean colour": pasted(artifact, lambda layer, image, index: mean_colour(layer))}


def _patch(artifact: Layered, draw: Draw, lent: dict[int, int]) -> Change:
    """Fill the layers with the pixels of images that are drawn; lent: is told who lent them to whom."""

    def change(images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        layers = layers_of(artifact, indices, tuple(images.shape[-2:]))
        pixels, names = draw(indices)
        lent.update(zip(map(int, indices), map(int, names), strict=True))
        return blend(images, torch.stack([filled(layer, own) for layer, own in zip(layers, pixels, strict=True)]))

    return change


def _other_classes(bench: Bench, measured: Measurement, label: int) -> list[Trial]:
    before, after, labels = measured.before, measured.after["artifact"], bench.labels[measured.indices]
    other = strongest_other(softmax(before), softmax(after), labels, label)
    if other < 0:
        return []
    rows = labels != other
    indices = measured.indices[rows]
    return [trial("other classes", before[rows], after[rows], other, indices, bench.seed, detail=bench.classes[other])]
