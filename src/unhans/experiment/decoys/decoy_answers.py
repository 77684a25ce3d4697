"""What one network says about the same images without a decoy, with it, and about the decoy alone; kept in files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from unhans.artifacts import put_on
from unhans.attribution import Attribution
from unhans.class_names import class_index
from unhans.comparison import OTHER, UNREAD, DecoyAnswers
from unhans.data import Files, UnreadableImageError, display_images, read_samples, to_tensor
from unhans.effects import LENDERS, Bench, draw_evenly, measure, prove
from unhans.effects.interventions import pasted
from unhans.experiment.decoys.decoy_runs import BASES, DecoyTest, HeldOut
from unhans.harness import bench_of
from unhans.stats import Rate
from unhans.store import differences, digest, file_stem, jsonable, read_json, record_from, write_json

Say = Callable[[str, int], None]
_log = logging.getLogger(__name__)

FORMAT = 2  # of the stored answers
BLUR = 8  # a standard deviation of one of so many parts of the side: no object is left
REAL = "real images"
HELD_OUT = "other classes"  # that the networks do not know


@dataclass(frozen=True)
class DecoyQuestion:
    """What all networks are asked about.

    Attributes:
        names: of the classes that have images.
        index: (n,) of the validation images, the same ones in every run.
        labels: (n,) as places among the names.
        real: image files that show the decoy and no class; None: the decoy is pasted on images of no class.
        samples: of other classes that its effect is measured on, at most.
        attribution, device, batch_size, seed: of the benches.
        folder: where answers are kept.
        say: told what is done and for how many images.
    """

    names: list[str]
    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    real: Files | None
    samples: int
    attribution: Attribution
    device: torch.device
    batch_size: int
    seed: int
    folder: Path
    say: Say = lambda text, images: None


def answers_of(number: int, test: DecoyTest, question: DecoyQuestion) -> tuple[DecoyAnswers, list[str]]:
    """Return what a network says, and why stored answers were not taken: [] where there are none.

    Args:
        number: of the test, in the names of files.
        test: the network and the decoy.
        question: the images.

    Raises:
        ValueError: no image can be read, or the decoy has no layer.
    """
    path = question.folder / f"{file_stem(number, test.run.name)}.json"
    key, stored = jsonable(_key(test, question)), read_json(path)
    reasons = []
    if stored is not None:
        reasons = differences(stored.get("key", {}), key)
        if not reasons:
            question.say(test.run.name, len(question.index))
            return record_from(DecoyAnswers, stored["answers"]), []
    found = _measured(test, question)
    write_json(path, {"key": key, "answers": found})
    return found, reasons


def _key(test: DecoyTest, question: DecoyQuestion) -> dict[str, Any]:
    """What the answers depend on."""
    run, look = test.run, test.run.images.without_augmentation()
    look.artifact, look.carriers = test.artifact, np.ones(len(look), dtype=bool)
    real, held_out = question.real, run.held_out
    return {
        "format": FORMAT,
        "network": digest(repr(run.network)),
        "weights": digest(run.network.state_dict()),
        "classes": digest(list(run.data.classes)),
        "images": look.fingerprint(question.index),
        "names": question.names,
        "target": test.target,
        "samples": question.samples,
        "seed": question.seed,
        "held_out": None if held_out is None else held_out.images.fingerprint(held_out.index),
        "decoy_only": None if real is None else digest([real.fingerprint(i) for i in range(len(real))]),
    }


def _measured(test: DecoyTest, question: DecoyQuestion) -> DecoyAnswers:
    run, index = test.run, question.index
    bench = bench_of(
        run.network, run.images, question.attribution,
        scale=run.images.scale, device=question.device, batch_size=question.batch_size, seed=question.seed,
    )  # fmt: skip
    place = {name: number for number, name in enumerate(question.names)}
    places = np.array([place.get(name, OTHER) for name in run.data.classes])
    target = class_index(test.target, run.data.classes, "the decoy's target")
    test.artifact.layer(0, run.images.image_size)  # one without a layer is refused now
    answered = {name: np.full(len(index), UNREAD) for name in ("clean", "decoyed")}
    found = measure(
        bench, index, {"decoy": pasted(test.artifact)}, lambda images: question.say(run.name, images)
    )  # says each image twice
    rows = np.searchsorted(index, found.indices)
    answered["clean"][rows] = places[found.before.argmax(1)]
    answered["decoyed"][rows] = places[found.after["decoy"].argmax(1)]
    own = bench.labels[index] == target
    unaffected = index[own] if own.sum() >= LENDERS else index[:0]
    proof = prove(
        bench, test.artifact, target, affected=index[:0], unaffected=unaffected, samples=question.samples,
        others=index[~own],
    )  # fmt: skip
    effect = proof.added[0].effect
    alone, bare = _alone(test, question, bench, target)
    return DecoyAnswers(
        **answered, alone=alone, bare=bare, probability=effect.probability, interval=effect.probability_interval,
        pasted=effect.n, verdict=proof.verdict,
    )  # fmt: skip


def _alone(
    test: DecoyTest, question: DecoyQuestion, bench: Bench, target: int
) -> tuple[dict[str, Rate], dict[str, Rate]]:
    """How many images that show the decoy and no class are called the target; and the same ones without it."""
    alone, bare = {}, {}
    if test.run.held_out is not None:
        images, index = _plain(test.run.held_out)
        alone[HELD_OUT] = _called(bench, put_on(test.artifact, images, index), target)
        bare[HELD_OUT] = _called(bench, images, target)
    if question.real is not None:
        return {REAL: _called(bench, _real(question.real, test), target)} | alone, bare
    others = question.index[bench.labels[question.index] != target]
    drawn = draw_evenly(bench.labels, others, BASES, question.seed)
    for name, images in _bases(bench, drawn).items():
        alone[name] = _called(bench, put_on(test.artifact, images, drawn[: len(images)]), target)
        bare[name] = _called(bench, images, target)
    return alone, bare


def _plain(held_out: HeldOut) -> tuple[Tensor, NDArray[np.int64]]:
    """Images (n, 3, H, W) in [0, 1] of classes that the network does not know, if readable, and their indices."""
    images, kept = read_samples(held_out.images, held_out.index)
    if not len(kept):
        raise ValueError(f"none of {len(held_out.index)} images of other classes can be read")
    return display_images(held_out.images, images), kept


def _bases(bench: Bench, drawn: NDArray[np.int64]) -> Mapping[str, Tensor]:
    """Images (n, 3, H, W) of no class: blurred until nothing is recognised, their mean, and noise."""
    images = torch.cat([batch for batch, _ in bench.batches(drawn)])
    side = min(images.shape[-2:])
    blurred = gaussian_blur(images, [2 * ((side - 1) // 2) + 1] * 2, [side / BLUR] * 2)
    noise = np.random.default_rng(bench.seed).random(images.shape, dtype=np.float32)
    return {
        "blurred images": blurred,
        "mean image": images.mean(0, keepdim=True).expand_as(images),
        "noise": torch.from_numpy(noise),
    }


def _real(files: Files, test: DecoyTest) -> Tensor:
    """The image files as this network takes them; raises ValueError where none can be read."""

    def read() -> Iterator[Tensor]:
        for number in range(len(files)):
            try:
                yield to_tensor(test.run.images.squared(files.read(number)))
            except UnreadableImageError:
                _log.warning("an image that cannot be read is skipped: %s", files.paths[number])

    images = list(read())
    if not images:
        raise ValueError(f"analysis.decoy_only expects images that can be read, got none of {len(files)}.")
    return torch.stack(images)


def _called(bench: Bench, images: Tensor, target: int) -> Rate:
    """How many of the images, each different one counted once, are predicted as the target."""
    different = torch.stack(list({image.numpy().tobytes(): image for image in images}.values()))
    parts = different.split(bench.batch_size)
    called = np.concatenate([bench.predict(part).argmax(1) == target for part in parts])
    return Rate(int(called.sum()), len(called))
