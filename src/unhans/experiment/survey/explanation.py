"""From the samples of one class to their heatmaps on the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution import Explain, Heatmaps
from unhans.data import displayed, own_index_of, read_batches, splits_of
from unhans.experiment.survey.survey import Survey
from unhans.lrp.tracing import logits_of
from unhans.store.virelay import writing_maps


class NothingReadError(ValueError):
    """None of the images of a class could be read; that may be otherwise the next time."""


def explain_class(survey: Survey, label: int, key: Mapping[str, Any], advance: Callable[[int], None]) -> None:
    """Explain the samples of a class batch by batch and write images, heatmaps, relevance of layers and logits.

    Only a batch is in memory.

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
    index, images, found, targets = first
    own, split = own_index_of(survey.dataset), splits_of(survey.dataset)
    with writing_maps(
        survey.files(label),
        n=len(survey.subsets[label]),
        map_shape=tuple(found.maps.shape[1:]),
        outputs=found.logits.shape[1],
        image_shape=images.shape[1:],
        key=key,
    ) as writer:
        while True:
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
            following = next(batches, None)
            if following is None:
                return
            index, images, found, targets = following


def _explained(survey: Survey, explain: Explain, label: int, advance: Callable[[int], None]) -> Any:
    """Give the indices, pixels, heatmaps and targets of every batch that can be read."""
    batches = read_batches(survey.dataset, survey.subsets[label], survey.batch_size, survey.num_workers)
    for images, index, asked in batches:
        if len(index):
            targets = _targets(survey, images, label)
            found = explain(images.to(survey.device), targets.to(survey.device))
            latent = {layer: pooled.float().cpu() for layer, pooled in found.latent.items()}
            maps = Heatmaps(found.maps.float().cpu(), found.logits.float().cpu(), latent)
            yield index, pixels(displayed(survey.dataset, images)), maps, targets.numpy()
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
