"""The bench of an experiment with artifacts, for any network and data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from unhans.attribution import (
    Attribution,
    Explain,
    explain_all,
    frozen_view,
    last_features,
    run_with_hooks,
    without_side_effects,
)
from unhans.class_names import Names
from unhans.data import (
    PixelScale,
    class_names_of,
    labels_of,
    pixel_scale,
    read_batches,
    read_samples,
    without_augmentation,
)
from unhans.effects import Bench, FeatureSpace, Read
from unhans.faithfulness import PixelRange
from unhans.lrp.tracing import computing_dtype, logits_of
from unhans.stats import Estimate, wilson


def bench_of(
    network: nn.Module,
    dataset: Dataset,
    attribution: Attribution,
    *,
    scale: PixelScale | None = None,
    labels: NDArray[np.int64] | None = None,
    device: torch.device | str = "cpu",
    batch_size: int = 32,
    seed: int = 0,
) -> Bench:
    """Return the bench of a network and a data set of (image, label, …) items, read without augmentation.

    Its images are in [0, 1] whatever the network takes. Predictions are made in evaluation mode, at least in float32,
    without gradients; the network, its modes and buffers and every random state are left as they were.

    Args:
        network: takes images (n, C, H, W), returns logits (n, classes); compiled ones run as they were written.
        dataset: what the bench reads; its indices are the bench's.
        attribution: how to explain; the bench's heatmaps have the size of the images.
        scale: between the network's images and [0, 1]; by default that of `pixel_scale`.
        labels: (N,) of the data set, if they are known already.
        device: where the network is.
        batch_size: images at once.
        seed: of everything that is drawn.

    Raises:
        ValueError: the scale is not given and cannot be found out, or the network cannot be explained.
    """
    dataset = without_augmentation(dataset)
    labels = labels_of(dataset) if labels is None else labels
    if scale is None:
        scale = pixel_scale(dataset, seed)
    explain = cache(lambda: attribution.of(network))  # not before it is wanted: a monitor explains nothing
    space = cache(lambda: _feature_space(network, scale, read, labels, torch.device(device)))

    def read(indices: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        images, kept = read_samples(dataset, indices)
        return (scale.to_display(images) if len(kept) else images), kept

    return Bench(
        predict=lambda images: _logits(network, scale, images, device, batch_size),
        explain=lambda images, target: _heatmaps(explain(), scale, images, target, device, batch_size),
        read=read,
        labels=labels,
        classes=class_names(dataset, labels),
        batch_size=batch_size,
        seed=seed,
        features=space,
    )


def check_outputs(outputs: int, labels: NDArray[np.int64]) -> None:
    """Raise ValueError where a network has fewer outputs than there are classes."""
    last = int(labels.max(initial=-1))
    if last < outputs:
        return
    if outputs == 1:
        raise ValueError(
            f"a logit for each class is needed, got a network with one and labels up to {last}; of a single logit z "
            "make two by output=lambda z: torch.cat([-z / 2, z / 2], 1)."
        )
    raise ValueError(f"a logit for each class is needed, got a network with {outputs} and labels up to {last}.")


def predicted_classes(network: nn.Module, images: Tensor, batch_size: int = 32) -> Tensor:
    """Return the predicted class of images (n, C, H, W), on their device; the network is left as it is."""
    found = [logits_of(run_with_hooks(network, part, {})).argmax(1) for part in images.split(batch_size)]
    return torch.cat(found)


def accuracy_of(
    network: nn.Module,
    dataset: Dataset,
    labels: NDArray[np.int64],
    index: NDArray[np.int64],
    device: torch.device | str,
    batch_size: int = 32,
) -> Estimate | None:
    """Return the accuracy on samples (n,) of a data set with labels (N,), with Wilson's interval; None of no sample."""
    correct = [
        predicted_classes(network, images.to(device), batch_size).cpu().numpy() == labels[read]
        for images, read, _ in read_batches(dataset, index, batch_size)
        if len(read)
    ]
    if not correct:
        return None
    hits = np.concatenate(correct)
    return Estimate(float(hits.mean()), wilson(int(hits.sum()), len(hits)), "samples", 1, len(hits))


def pixel_range(scale: PixelScale) -> PixelRange:
    """Return the lowest and the highest value of a pixel as the network takes it: black and white."""
    ends = scale.to_model(torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 1, 1))
    return PixelRange(ends[0, :, 0, 0], ends[1, :, 0, 0])


def class_names(dataset: Dataset, labels: NDArray[np.int64]) -> Names:
    """Return the name of every class up to the last label, and of all that the data set names; else their numbers."""
    named = class_names_of(dataset) or []
    return Names(named + [str(label) for label in range(len(named), int(labels.max(initial=-1)) + 1)])


def _feature_space(
    network: nn.Module, scale: PixelScale, read: Read, labels: NDArray[np.int64], device: torch.device
) -> FeatureSpace | None:
    """The last features of a network; None where it has none, or no image can be read."""
    readable = (read(np.array([index]))[0] for index in np.flatnonzero(labels >= 0))
    example = next((images for images in readable if len(images)), None)
    if example is None:
        return None

    def unseen(compute: Callable[..., Tensor], images: Tensor, *shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        with without_side_effects(device):
            return compute(scale.to_model(images.to(device)), *map(torch.from_numpy, shifts)).cpu().numpy()

    with without_side_effects(device):
        found = last_features(network, scale.to_model(example.to(device)))
    return (
        None if found is None else FeatureSpace(found.layer, partial(unseen, found.means), partial(unseen, found.moved))
    )


def _logits(
    network: nn.Module, scale: PixelScale, images: Tensor, device: torch.device | str, batch_size: int
) -> NDArray[np.float64]:
    """Predict with a view of the network in evaluation mode: its modes, buffers and hooks stay as they are."""
    found = []
    with without_side_effects(torch.device(device)), torch.no_grad():
        view = frozen_view(network, computing_dtype(network, images))
        for part in images.split(batch_size):
            inputs = scale.to_model(part.to(device)).to(computing_dtype(network, part))
            found.append(view(inputs).double().cpu().numpy())
    return np.concatenate(found)


def _heatmaps(
    explain: Explain, scale: PixelScale, images: Tensor, target: int, device: torch.device | str, batch_size: int
) -> NDArray[np.float32]:
    """Explain one class; heatmaps of a layer are enlarged to the images' size."""
    maps: Any = explain_all(explain, scale.to_model(images), target, batch_size, device).maps
    if maps.shape[-2:] != images.shape[-2:]:
        maps = F.interpolate(maps[:, None], size=images.shape[-2:], mode="nearest")[:, 0]
    return maps.numpy()
