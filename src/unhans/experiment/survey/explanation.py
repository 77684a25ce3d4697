"""Images on the disk: of one class with their heatmaps, and of all classes, to which the workers hold those of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution import Explain
from unhans.data import display_images, own_index_of, read_batches, read_samples, splits_of
from unhans.experiment.survey.survey import Survey
from unhans.lrp import UnsupportedModelError
from unhans.lrp.tracing import logits_of
from unhans.report import Say
from unhans.spray.groups import ImageDescriptors
from unhans.store import digest, replacing
from unhans.store.virelay import writing_maps


class NothingReadError(ValueError):
    """None of the images of a class could be read; that may be otherwise the next time."""


def check_explainable(survey: Survey) -> None:
    """Explain one image, so that what cannot work for any is said before the long work.

    Raises:
        UnsupportedModelError: the network cannot be explained.
    """
    explain, _ = survey.explainer
    explain(survey.example.to(survey.device), torch.zeros(1, dtype=torch.long, device=survey.device))


def explain_missing(survey: Survey, keys: Mapping[int, Mapping[str, Any]], say: Say) -> dict[int, str]:
    """Explain the classes whose heatmaps are not in the survey's folder; return by label why a class has none.

    Args:
        survey: in a folder that is held.
        keys: by label of the classes to explain, as of `maps_key`.
        say: called with what is being done, and how many samples are done with.
    """
    refused = {}
    for label, key in keys.items():
        name = survey.classes[label]
        try:
            explain_class(survey, label, key, lambda samples, name=name: say(f"explaining class {name}", samples))
        except UnsupportedModelError:
            raise  # it holds for every class
        except ValueError as error:
            refused[label] = str(error)
    return refused


def explain_class(survey: Survey, label: int, key: Mapping[str, Any], advance: Callable[[int], None]) -> None:
    """Explain the samples of a class batch by batch and write images, heatmaps, relevance of layers and logits.

    Only a batch is in memory.

    Args:
        label: of the class.
        key: what the heatmaps depend on.
        advance: called with the number of samples that were done, unreadable ones included.

    Raises:
        ValueError: no sample could be read, or a heatmap is not finite.
        OSError: the disk is full.
    """
    explain, _ = survey.explainer
    batches = _explained(survey, explain, label, advance)
    first = next(batches, None)
    if first is None:
        raise NothingReadError("none of its images could be read")
    _, images, found, _ = first
    own, split = own_index_of(survey.dataset), splits_of(survey.dataset)
    with writing_maps(
        survey.files(label),
        n=len(survey.subsets[label]),
        map_shape=tuple(found.maps.shape[1:]),
        outputs=found.logits.shape[1],
        image_shape=images.shape[1:],
        key=key,
    ) as writer:
        for index, images, found, targets in chain([first], batches):
            writer.add(
                index=own[index],
                split=0 if split is None else split[index],
                label=label,
                target=targets,
                images=images,
                maps=found.maps.numpy(),
                logits=found.logits.numpy(),
                paths=[survey.paths[i] for i in index],
                latent={layer: pooled.numpy() for layer, pooled in found.latent.items()},
            )


def _explained(survey: Survey, explain: Explain, label: int, advance: Callable[[int], None]) -> Any:
    """Give the indices, pixels, heatmaps and targets of every batch that can be read."""
    batches = read_batches(survey.dataset, survey.subsets[label], survey.batch_size, survey.num_workers)
    for images, index, asked in batches:
        if len(index):
            targets = _targets(survey, images, label)
            found = explain(images.to(survey.device), targets.to(survey.device)).on_cpu()
            yield index, pixels(display_images(survey.dataset, images)), found, targets.numpy()
        advance(asked)


def _targets(survey: Survey, images: Tensor, label: int) -> Tensor:
    """The class that every sample is explained for."""
    if survey.target == "label":
        return torch.full((len(images),), label)
    with torch.no_grad():
        return logits_of(survey.network(images.to(survey.device))).argmax(1).cpu()


def pixels(images: Tensor) -> NDArray[np.uint8]:
    """Return images (n, 3, H, W) in [0, 1] as bytes."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8).numpy()


def reference_file(survey: Survey) -> Path:
    """Return where the reference of a survey lies."""
    return survey.out / "reference.npz"


def write_reference(survey: Survey) -> None:
    """Write the reference of a survey, as uint8 images with labels, unless it is there; OSError if the disk is full."""
    path, key = reference_file(survey), digest(survey.reference_content, survey.reference)
    if _key_of(path) == key:
        return
    images, kept = read_samples(survey.dataset, survey.reference)
    shown = pixels(display_images(survey.dataset, images))
    shown = np.broadcast_to(shown, (len(shown), 3, *shown.shape[2:]))
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, images=shown, labels=survey.labels[kept], key=key)


def other_images(path: Path, label: int) -> ImageDescriptors:
    """Return what the images of a stored reference look like that are not of this class."""
    described, labels = _described(path, path.stat().st_mtime_ns)
    return described[labels != label]


@lru_cache(maxsize=1)
def _described(path: Path, written: int) -> tuple[ImageDescriptors, NDArray[np.int64]]:
    """All images of the reference, described once in a process; written: when the file was, so that no old one is."""
    with np.load(path) as stored:
        return ImageDescriptors.of(stored["images"].astype(np.float32) / 255), stored["labels"]


def _key_of(path: Path) -> str | None:
    """By what a stored reference is known again; None where there is none, or not a whole one."""
    try:
        with np.load(path) as stored:
            return str(stored["key"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
