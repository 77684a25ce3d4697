"""Between images as a network takes them and images as a person sees them; artifacts pasted on the former."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset

from unhans.artifacts import Layered, blend, is_whole, layers_of, put_on

OUTSIDE = 0.02  # of [0, 1]: a known normalisation that leaves images further outside is not all that was done to them
BRIGHT = 0.5  # images between 0 and 1 that reach it are in [0, 1] already

SAMPLES = 64  # from which an unknown pixel scale is estimated


ScaleSource = Literal["data set", "Normalize", "unit range", "estimated"]


@dataclass(frozen=True, eq=False)
class PixelScale:
    """A linear map per channel: images as a network takes them are (x − mean) / std of images x in [0, 1].

    Args:
        mean, std: (C,), one or three channels, std above 0.
        source: where they come from: the data set knows them, they are of the Normalize among its transforms, images
            lie in [0, 1] already, or they are estimated.

    Raises:
        ValueError: for others.
    """

    mean: Tensor
    std: Tensor
    source: ScaleSource = "data set"

    def __post_init__(self) -> None:
        shapes = tuple(self.mean.shape), tuple(self.std.shape)
        if shapes not in (((1,), (1,)), ((3,), (3,))):
            raise ValueError(f"a pixel scale expects a mean and a std for one or three channels, got shapes {shapes}")
        if not bool(self.mean.isfinite().all() and self.std.isfinite().all() and (self.std > 0).all()):
            raise ValueError(
                f"a pixel scale expects finite means and stds above 0, got {self.mean.tolist()} and {self.std.tolist()}"
            )

    @property
    def channels(self) -> int:
        """The number of channels that the network takes: 1 or 3."""
        return len(self.mean)

    def to_display(self, images: Tensor) -> Tensor:
        """Return images (n, C, H, W) as (n, 3, H, W) float32 in [0, 1]; one channel becomes three equal ones.

        What lies outside is cut off: rounding, or noise that was added after the normalisation.

        Raises:
            ValueError: the number of channels is another.
        """
        return self.linear(images).clamp(0, 1).expand(-1, 3, -1, -1)

    def to_model(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] as the network takes them (n, C, H, W); C = 1 is their mean."""
        wanted = images.mean(1, keepdim=True) if self.channels == 1 else images
        return (wanted - _column(self.mean, images)) / _column(self.std, images)

    def linear(self, images: Tensor) -> Tensor:
        """Return images (n, C, H, W) on the scale of [0, 1], nothing cut off."""
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ValueError(
                f"images must have the shape (n, {self.channels}, H, W), as the data set's first ones, "
                f"got {tuple(images.shape)}"
            )
        values = images if images.is_floating_point() else images.float()
        return values * _column(self.std, values) + _column(self.mean, values)


def pixel_scale(dataset: Dataset, seed: int, among: NDArray[np.int64] | None = None) -> PixelScale:
    """Return the scale of a data set's images: known, found or estimated; `source` says which.

    Ours know it. Of others the one `Normalize` of torchvision is taken that is found in `transform` or `transforms`,
    through `Compose`, `Subset` and other wrappers, if it brings a few samples to [0, 1]. Otherwise it is estimated from
    their smallest and largest value: one linear map for all channels and samples.

    Args:
        dataset: of (image, label, …) items.
        seed: draws the samples.
        among: indices that they are drawn from; None is all.

    Raises:
        ValueError: no sample can be read, all values are the same, or there are neither one nor three channels.
    """
    known = known_scale(dataset)
    if known is not None:
        return known
    drawn = np.random.default_rng(seed).permutation(len(dataset) if among is None else among)[:SAMPLES]  # type: ignore[arg-type]
    items = (dataset[int(index)] for index in drawn)
    images = [torch.as_tensor(item[0]).float() for item in items if item is not None]
    if not images or any(image.ndim != 3 or image.shape[0] not in (1, 3) for image in images):
        shapes = sorted({tuple(image.shape) for image in images})
        raise ValueError(
            f"artifacts need images (C, H, W) with one or three channels, got {shapes or 'no sample that can be read'}"
        )
    found = found_scale(dataset, images[0].shape[0])
    return found if found is not None and all(fits(found, image[None]) for image in images) else _estimate_scale(images)


def origin(dataset: Dataset) -> Any:
    """Return the data set under any number of `Subset`s."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def known_scale(dataset: Dataset) -> PixelScale | None:
    """Return the `scale` of a data set that knows it, as ours do."""
    scale = getattr(origin(dataset), "scale", None)
    return scale if isinstance(scale, PixelScale) else None


def found_scale(dataset: Dataset, channels: int) -> PixelScale | None:
    """Return the scale of the one `Normalize` among a data set's transforms; None where there is none, or several."""
    found = {(tuple(step.mean), tuple(step.std)) for step in _find_normalisations(dataset)}
    if len(found) != 1 or channels not in (1, 3):
        return None
    mean, std = (torch.tensor([float(value) for value in values]) for values in found.pop())
    if not {len(mean), len(std)} <= {1, channels} or not bool((std > 0).all()):
        return None
    return PixelScale(mean.expand(channels).clone(), std.expand(channels).clone(), "Normalize")


def fits(scale: PixelScale, images: Tensor) -> bool:
    """Say whether images (n, C, H, W) lie in [0, 1] on this scale, but for a small tolerance."""
    shown = scale.linear(images)
    return bool(shown.min() >= -OUTSIDE and shown.max() <= 1 + OUTSIDE)


def _estimate_scale(images: Sequence[Tensor]) -> PixelScale:
    low, high = min(float(image.min()) for image in images), max(float(image.max()) for image in images)
    if not np.isfinite([low, high]).all() or low == high:
        raise ValueError(f"artifacts need images with finite values that differ, got values from {low:g} to {high:g}")
    channels = images[0].shape[0]
    if low >= 0 and BRIGHT <= high <= 1:
        return PixelScale(torch.zeros(channels), torch.ones(channels), "unit range")
    mean, std = (torch.full((channels,), value / (high - low)) for value in (-low, 1))
    return PixelScale(mean, std, "estimated")


def _find_normalisations(dataset: Any) -> Iterator[Any]:
    """All `Normalize` among the transforms of a data set and of those that it wraps."""
    for name in ("transform", "transforms"):
        yield from _find_within(getattr(dataset, name, None))
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from _find_normalisations(part)
    elif hasattr(dataset, "dataset"):
        yield from _find_normalisations(dataset.dataset)


def _find_within(step: Any) -> Iterator[Any]:
    """All `Normalize` inside one transform: a `Compose`, a `Sequential`, a list, or torchvision's pair for a target."""
    from torchvision import transforms
    from torchvision.transforms import v2

    if isinstance(step, transforms.Normalize | v2.Normalize):
        yield step
    elif isinstance(step, Sequence | torch.nn.Sequential | torch.nn.ModuleList) and not isinstance(step, str):
        for part in step:
            yield from _find_within(part)
    elif step is not None:
        for name in ("transform", "transforms"):
            yield from _find_within(getattr(step, name, None))


def _column(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like)[:, None, None]


def paste_artifact(images: Tensor, artifact: Layered, indices: NDArray[np.int64], scale: PixelScale) -> Tensor:
    """Return images (n, C, H, W) as the network takes them with the artifact of these samples on them.

    Where a layer is transparent, or a transform changes nothing, the images stay bit for bit: the scale is linear, so
    that blending in [0, 1] and here are the same.

    Raises:
        ValueError: the artifact has another size.
    """
    if is_whole(artifact) or not hasattr(artifact, "layer"):
        return _apply_transform(images, artifact, indices, scale)
    layers = layers_of(artifact, indices, (images.shape[-2], images.shape[-1]))
    colours = scale.to_model(layers[:, :3]).expand(-1, 3, -1, -1)
    return blend(images.expand(-1, 3, -1, -1), torch.cat([colours, layers[:, 3:]], 1))[:, : scale.channels]


def _apply_transform(images: Tensor, artifact: Layered, indices: NDArray[np.int64], scale: PixelScale) -> Tensor:
    before = scale.to_display(images)
    after = put_on(artifact, before, indices)
    same = (before == after).all(1, keepdim=True)
    return torch.where(same, images, scale.to_model(after).to(images))
