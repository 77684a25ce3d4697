"""What every network says about the images of every variant, kept in files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2.functional import ten_crop

from unhans.attribution import run_with_hooks
from unhans.comparison import OTHER, UNASKED, UNREAD
from unhans.data import read_batches, read_samples
from unhans.experiment.survey import weights_of
from unhans.experiment.swap.swap_variants import SwapData, SwapNetwork, SwapSample
from unhans.lrp.tracing import logits_of
from unhans.report import Say
from unhans.store import digest, file_stem, replacing
from unhans.terminal import ConfigurationError

FORMAT = 1


@dataclass(frozen=True)
class SwapAnswers:
    """What a network says about the images of a variant.

    Attributes:
        predicted: (n,) places among the classes, `OTHER`, `UNREAD`, or `UNASKED` of images of other folds.
        probability: (n,) of the label; not a number where an image was not asked about or could not be read.
    """

    predicted: NDArray[np.int64]
    probability: NDArray[np.float64]


@dataclass(frozen=True)
class SwapRun:
    """Asks every network about every variant; what is in the folder is not asked again.

    Attributes:
        swap: networks and variants.
        sample: the images.
    """

    swap: SwapData
    sample: SwapSample

    def check(self) -> None:
        """Raise ConfigurationError where a network cannot take the images of a variant; one image is tried."""
        for network in self.swap.networks:
            for variant in self.swap.variants:
                size = self.swap.data(network, variant, crops=1).image_size
                blank = torch.zeros(1, 3, size, size, device=self.swap.subject.device)
                try:
                    run_with_hooks(network.network, blank, {})
                except RuntimeError as error:
                    reason = str(error).splitlines()[0]
                    raise ConfigurationError(
                        f"{network.name!r} cannot take images of {variant!r}, {size}×{size} pixels: {reason}"
                    ) from error

    @property
    def images(self) -> int:
        """How many images are asked about in all, each as often as it passes a network."""
        asked = [self.rows(network, variant) for network in self.swap.networks for variant in self.swap.variants]
        return sum(map(len, asked)) * self.swap.crops

    def rows(self, network: SwapNetwork, variant: str) -> NDArray[np.int64]:
        """Return which of the sample's images a network is asked about: those of its fold."""
        number = next(i for i, each in enumerate(self.swap.folds) if any(one is network for one in each))
        return np.flatnonzero(self.sample.folds[variant] == number)

    @property
    def missing(self) -> int:
        """How many of these are not in the folder yet."""
        return sum(
            len(self.rows(network, variant)) * self.swap.crops
            for number, network in enumerate(self.swap.networks)
            for variant in self.swap.variants
            if _stored(self._file(number, network, variant), self._key(network, variant)) is None
        )

    def seconds_per_image(self) -> float:
        """Return how long an image takes to be read and to pass the first network, by one batch; NaN where unknown."""
        network, variant = self.swap.networks[0], self.swap.first
        index = self.sample.index[variant][self.rows(network, variant)][: self.swap.subject.batch_size]
        size = self.swap.data(network, variant, crops=1).image_size
        for _ in range(2):  # the first is not counted
            began = time.perf_counter()
            images, kept = read_samples(self.swap.images(network, variant), index)
            if not len(kept):
                return float("nan")
            self._probabilities(network, images.to(self.swap.subject.device), size).cpu()
        return (time.perf_counter() - began) / (len(kept) * self.swap.crops)

    def answers(self, say: Say) -> list[dict[str, SwapAnswers]]:
        """Return by network what it says about every variant."""
        return [
            {variant: self._answers(number, network, variant, say) for variant in self.swap.variants}
            for number, network in enumerate(self.swap.networks)
        ]

    def _answers(self, number: int, network: SwapNetwork, variant: str, say: Say) -> SwapAnswers:
        path, key = self._file(number, network, variant), self._key(network, variant)
        rows = self.rows(network, variant)
        found = _stored(path, key)
        if found is not None:
            say(network.name, len(rows) * self.swap.crops)
        else:
            found = self._asked(network, variant, say)
            with replacing(path) as part, part.open("wb") as file:
                np.savez(file, key=key, predicted=found.predicted, probability=found.probability)
        predicted, probability = (
            np.full(len(self.sample.index[variant]), UNASKED),
            np.full(len(self.sample.index[variant]), np.nan),
        )
        predicted[rows], probability[rows] = found.predicted, found.probability
        return SwapAnswers(predicted, probability)

    def _asked(self, network: SwapNetwork, variant: str, say: Say) -> SwapAnswers:
        asked = self.rows(network, variant)
        index, labels = self.sample.index[variant][asked], self.sample.labels[variant][asked]
        predicted, probability = np.full(len(index), UNREAD), np.full(len(index), np.nan)
        outputs = list(network.data.classes)
        place = np.array([self.swap.names.index(name) if name in self.swap.names else OTHER for name in outputs])
        own = np.array([outputs.index(name) for name in self.swap.names])
        rows = {int(at): row for row, at in enumerate(index)}
        subject = self.swap.subject
        images, size = self.swap.images(network, variant), self.swap.data(network, variant, crops=1).image_size
        for batch, kept, asked in read_batches(images, index, subject.batch_size, subject.data.num_workers):
            if len(kept):
                at = np.array([rows[int(each)] for each in kept])
                scores = self._probabilities(network, batch.to(subject.device), size).cpu().double().numpy()
                predicted[at] = place[scores.argmax(1)]
                probability[at] = scores[np.arange(len(at)), own[labels[at]]]
            say(f"{network.name} on {variant}", asked * self.swap.crops)
        self.swap.data(network, variant).report_unreadable()
        return SwapAnswers(predicted, probability)

    def _probabilities(self, network: SwapNetwork, batch: Tensor, size: int) -> Tensor:
        """The probabilities of the classes (n, C), of ten crops their mean."""
        parts = [batch] if self.swap.crops == 1 else ten_crop(batch, [size, size])
        scores = [logits_of(run_with_hooks(network.network, part.contiguous(), {})).softmax(1) for part in parts]
        return torch.stack(scores).mean(0)

    def _key(self, network: SwapNetwork, variant: str) -> str:
        """A digest of all that the answers depend on."""
        index = self.sample.index[variant][self.rows(network, variant)]
        images = self.swap.images(network, variant).fingerprint(index)
        names = list(network.data.classes), self.swap.names
        return digest(FORMAT, repr(network.network), weights_of(network.network), images, index, names, self.swap.crops)

    def _file(self, number: int, network: SwapNetwork, variant: str) -> Path:
        folder = self.swap.subject.out / "answers" / file_stem(number, network.name)
        return folder / f"{file_stem(list(self.swap.variants).index(variant), variant)}.npz"


def _stored(path: Path, key: str) -> SwapAnswers | None:
    try:
        with np.load(path) as file:
            return SwapAnswers(file["predicted"], file["probability"]) if str(file["key"]) == key else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
