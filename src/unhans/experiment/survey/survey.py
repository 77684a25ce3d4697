"""What a survey of a data set is about, and by what its results are known again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from unhans.attribution import Attribution, Explain, with_latent
from unhans.data import fingerprint_of, labels_of, paths_of, read_samples
from unhans.effects import evenly
from unhans.spray import SpRAy
from unhans.store import digest
from unhans.store.virelay import ClassFiles, class_files

Target = Literal["label", "predicted"]
TARGETS = {"label": "the label", "predicted": "the predicted class"}


@dataclass(frozen=True)
class Survey:
    """A trained network, the samples of every class to audit, how they are explained and how heatmaps are clustered.

    network: in evaluation mode, on its device; dataset: of (image, label, …) items, without augmentation; classes:
    names by label; subsets: data-set indices (n,) of the samples of every class to audit; split: what the samples are,
    such as "train"; target: the class that a sample is explained for; control: run the same analysis on the raw images;
    out: the folder for everything; seed: draws the images of all classes that those of one are compared with; labels:
    (N,) of the data set, None where they are to be read; begin: called before the first file is written.
    """

    network: nn.Module
    dataset: Dataset
    classes: Mapping[int, str]
    subsets: Mapping[int, NDArray[np.int64]]
    attribution: Attribution
    spray: SpRAy
    out: Path
    split: str = "train"
    target: Target = "label"
    control: bool = True
    batch_size: int = 32
    num_workers: int = 0
    device: torch.device | str = "cpu"
    seed: int = 0
    labels: NDArray[np.int64] | None = None
    begin: Callable[[], None] = lambda: None

    @property
    def meaning(self) -> str:
        """What a heatmap means: method, target and layer (law 7)."""
        return self.attribution.description + ("" if self.target == "label" else " for the predicted class")

    @property
    def subtitle(self) -> str:
        """The line under every title."""
        return f"{TITLES.get(self.split, self.split)} images · {self.meaning}"

    @cached_property
    def paths(self) -> list[str]:
        """The path of every sample of the data set."""
        return paths_of(self.dataset)

    @cached_property
    def explainer(self) -> tuple[Explain, tuple[str, ...]]:
        """What explains images, and the layers whose relevance it gives besides; found with the data set's first image.

        Raises ValueError where no image can be read.
        """
        return with_latent(self.attribution, self.network, self.example.to(self.device))

    @cached_property
    def example(self) -> Tensor:
        """The first image of the data set that can be read (1, C, H, W), whatever classes are audited."""
        for index in range(len(self.dataset)):  # type: ignore[arg-type]
            images, _ = read_samples(self.dataset, [index])
            if len(images):
                return images
        raise ValueError("none of the images of the data set can be read.")

    @cached_property
    def reference(self) -> NDArray[np.int64]:
        """Indices of images of all classes, those that are not audited too, to which the images of one are held."""
        labels = labels_of(self.dataset) if self.labels is None else self.labels
        return evenly(labels, np.flatnonzero(labels >= 0), REFERENCE, self.seed)

    @cached_property
    def reference_content(self) -> str:
        """What the reference is known by again."""
        return fingerprint_of(self.dataset, self.reference)

    @property
    def names(self) -> list[str]:
        """The name of every class, by label."""
        return [self.classes.get(label, str(label)) for label in range(max(self.classes) + 1)]

    def files(self, label: int) -> ClassFiles:
        """Return where the results of one class lie."""
        return class_files(self.out, label, self.classes[label])


REFERENCE = 300  # images of all classes
TITLES = {"train": "training", "val": "validation", "union": "training and validation"}


def maps_key(survey: Survey, label: int, weights: str) -> dict[str, Any]:
    """Return what the heatmaps of a class depend on; where it differs they are computed again.

    weights: of `weights_of`, the same for all classes.
    """
    return {
        "model": {"architecture": digest(repr(survey.network)), "weights": weights},
        "data": {
            "split": survey.split,
            "samples": len(survey.subsets[label]),
            "content": fingerprint_of(survey.dataset, survey.subsets[label]),
        },
        "attribution": _settings(survey.attribution)
        | {"description": survey.attribution.description, "latent": list(survey.explainer[1])},
        "target": survey.target,
    }


def analysis_key(survey: Survey, maps: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the analysis of a class depends on: its heatmaps, the reference, and how they are clustered."""
    parameters = {name: _plain(value) for name, value in survey.spray.get_params(deep=False).items()}
    return {**maps, "spray": parameters, "control": survey.control, "reference": survey.reference_content}


def weights_of(network: nn.Module) -> str:
    """Return a digest of all parameters and buffers."""
    return digest(network.state_dict())


def _settings(attribution: Attribution) -> dict[str, Any]:
    values = {f.name: getattr(attribution, f.name) for f in fields(attribution)} if is_dataclass(attribution) else {}
    return {"method": type(attribution).__name__} | {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Say a setting in values that JSON holds."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, Sequence | range | np.ndarray):
        return [_plain(one) for one in value]
    return getattr(value, "__qualname__", repr(value))
