"""Pasting artifacts on batches as a network takes them, and keeping artifacts in a checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Isolated
from unhans.artifacts.bench import Layered
from unhans.artifacts.paste import blend, check_layer
from unhans.artifacts.put_on import can_be_put_on, is_whole, layers_of, put_on
from unhans.artifacts.transform import Transform, transform_from, transform_record
from unhans.data import PixelScale, pixel_scale
from unhans.data.benches import SAMPLES


def scale_of(dataset: Dataset, seed: int) -> PixelScale:
    """Return the pixel scale of a data set, found out or estimated from a few samples; see `pixel_scale`."""
    drawn = np.random.default_rng(seed).permutation(len(dataset))[:SAMPLES]  # type: ignore[arg-type]
    return pixel_scale(dataset, drawn)


def laid(images: Tensor, artifact: Layered, indices: NDArray[np.int64], scale: PixelScale) -> Tensor:
    """Return images (n, C, H, W) as the network takes them with the artifact of these samples on them.

    Where a layer is transparent, or a transform changes nothing, the images stay bit for bit: the scale is linear, so
    that blending in [0, 1] and here are the same. Raises ValueError for an artifact of another size.
    """
    if is_whole(artifact):
        return _transformed(images, artifact, indices, scale)
    layers = layers_of(artifact, indices, (images.shape[-2], images.shape[-1]))
    colours = scale.to_model(layers[:, :3]).expand(-1, 3, -1, -1)
    return blend(images.expand(-1, 3, -1, -1), torch.cat([colours, layers[:, 3:]], 1))[:, : scale.channels]


def _transformed(images: Tensor, artifact: Layered, indices: NDArray[np.int64], scale: PixelScale) -> Tensor:
    before = scale.to_display(images)
    after = put_on(artifact, before, indices)
    same = (before == after).all(1, keepdim=True)
    return torch.where(same, images, scale.to_model(after).to(images))


def lasting(artifact: Layered | Tensor) -> Isolated:
    """Return an artifact that a checkpoint can hold: an isolated one, or an RGBA layer (4, H, W) of the images' size.

    Raises ValueError for others, and for one without a layer.
    """
    if isinstance(artifact, Tensor):
        return _isolated("fixed", (check_layer(artifact),), np.zeros((0, 4), dtype=np.int64), 0)
    if not isinstance(artifact, Isolated):
        raise ValueError(
            f"add expects an isolated artifact or an RGBA layer (4, H, W), got {type(artifact).__name__}; "
            "give others to the constructor."
        )
    if not can_be_put_on(artifact):
        raise ValueError(f"a {artifact.kind} artifact has no layer that could be laid over an image")
    return artifact


def packed(artifact: Isolated) -> dict[str, Any]:
    """Return what decides an artifact's layers, or its transform, as tensors and plain values."""
    known = artifact.places[artifact.members & (artifact.places[:, 2] > artifact.places[:, 0])]
    layers = [layer.clone() for layer in artifact.layers]
    places = torch.from_numpy(known.copy())
    transform = None if artifact.transform is None else transform_record(artifact.transform)
    plain = {"kind": artifact.kind, "layers": layers, "places": places, "seed": artifact.seed}
    return plain | {"transform": transform}


def unpacked(state: dict[str, Any]) -> Isolated:
    """Return the artifact with the layers, or the transform, that the packed one had, on every sample."""
    stored = state.get("transform")
    transform = None if stored is None else transform_from(stored)
    return _isolated(state["kind"], tuple(state["layers"]), state["places"].numpy(), state["seed"], transform)


def _isolated(
    kind: Any, layers: tuple[Tensor, ...], places: NDArray[np.int64], seed: int, transform: Transform | None = None
) -> Isolated:
    members = np.ones(len(places), dtype=bool)
    masks = np.zeros((len(places), 0, 0), dtype=bool)
    return Isolated(
        kind, layers, members, masks, None, float("nan"), places, "Stored in a checkpoint.", seed, transform
    )
