"""An artifact, its class, and the samples that carry it, with their images without it: planted, given, or isolated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Artifact, Remove, Transform, check_fits, check_mask, covered
from unhans.data import DisplayedImages, names_of
from unhans.harness.ground_truth import Planted, planted_in
from unhans.isolation import Detector, Isolated
from unhans.repair import KnownArtifact, Source

Splits = Mapping[str, Dataset]
Size = tuple[int, int]

_SAME = 0.5  # intersection over union from which a picture is taken for the planted artifact


def by_planted(splits: Splits, size: Size) -> KnownArtifact | None:
    """Return the artifact that data sets of ours plant, with what is known of it; None where they plant none.

    Args:
        splits: {"train": …, "val": …}, each with indices of its own.
        size: (H, W) of their images.
    """
    planted = planted_in(splits["train"])
    if planted is None:
        return None
    name = names_of(splits["train"], np.array([planted.target]))[planted.target]
    return _known(planted.artifact, planted.target, name, planted.name, "planted", splits, size)


def by_picture(artifact: Artifact, label: int, class_name: str, name: str, splits: Splits, size: Size) -> KnownArtifact:
    """Return a given artifact of a class.

    Nobody knows who carries it, but where the data plant an artifact in this class that covers about the same pixels:
    then it is taken for that one.

    Args:
        artifact: with a layer for every image.
        label, class_name: of its class.
        name: of its file.
        splits: {"train": …, "val": …}, each with indices of its own.
        size: (H, W) of their images.

    Raises:
        ValueError: it is larger than the images.
    """
    artifact.layer(0, size)  # one that does not fit is refused now
    found = _known(artifact, label, class_name, name, "picture", splits, size)
    if _overlap(artifact, found, size) >= _SAME:
        return found
    nobody = {split: np.zeros_like(carriers) for split, carriers in found.carriers.items()}
    return replace(found, carriers=nobody)


def by_isolated(
    isolated: Isolated,
    label: int,
    class_name: str,
    splits: Splits,
    size: Size,
    batch_size: int = 32,
    fill: str = "telea",
    advance: Advance = lambda images: None,
) -> KnownArtifact:
    """Return an isolated artifact of a class, looked for in all samples of the class by its detector.

    Where the data plant an artifact in this class, the images without it are the true ones; else they are inpainted or,
    for an artifact of whole images, changed back.

    Args:
        isolated: the artifact, with a layer or a transform, and a detector.
        label, class_name, splits, size: as of `by_picture`.
        batch_size: images at once.
        fill: how it is taken away where no image without it is known.
        advance: called with a number of images whenever some were looked at, all of the class in the end.

    Raises:
        ValueError: it has neither a layer nor a transform, or no detector, is of images of another size, or was found
            on all of an image though it has a layer.
    """
    check_fits(isolated, size)  # one that has no layer, or does not fit, is refused now
    if isolated.detector is None:
        raise ValueError("an isolated artifact needs a detector that tells who carries it, got none")
    detector = isolated.detector
    transform = isolated.transform
    options = {"batch_size": batch_size, "advance": advance, "whole": transform is not None}
    found = {name: find_carriers(detector, split, label, **options) for name, split in splits.items()}
    clean = {name: clean_images(split, label, found[name], fill, transform) for name, split in splits.items()}
    return KnownArtifact(
        artifact=isolated,
        label=label,
        class_name=class_name,
        name=isolated.kind,
        source="isolated",
        carriers={name: one.carriers for name, one in found.items()},
        mask=lambda split, index: found[split].mask(index),
        clean=lambda split, index: clean[split](index),
    )


def _known(
    artifact: Artifact, label: int, class_name: str, name: str, source: Source, splits: Splits, size: Size
) -> KnownArtifact:
    """An artifact whose carriers are those that the data plant one in, if they plant one in this class."""
    clean = {split: clean_images(dataset, label) for split, dataset in splits.items()}
    planted = {split: planted_as(dataset, label) for split, dataset in splits.items()}

    def mask(split: str, index: int) -> NDArray[np.bool_]:
        return covered((planted[split] or artifact).layer(index, size)[3].numpy())

    return KnownArtifact(
        artifact=artifact,
        label=label,
        class_name=class_name,
        name=name,
        source=source,
        carriers={
            split: np.zeros(len(splits[split]), dtype=bool) if own is None else own.carriers  # type: ignore[arg-type]
            for split, own in planted.items()
        },
        mask=mask,
        clean=lambda split, index: clean[split](index),
    )


def _overlap(artifact: Artifact, found: KnownArtifact, size: Size) -> float:
    """The intersection over union of an artifact and the planted one, on a sample that carries that; 0 without one."""
    for split, carriers in found.carriers.items():
        for index in np.flatnonzero(carriers)[:1]:
            own, planted = covered(artifact.layer(int(index), size)[3].numpy()), found.mask(split, int(index))
            return float((own & planted).sum() / (own | planted).sum())
    return 0.0


Advance = Callable[[int], None]


@dataclass(frozen=True)
class FoundCarriers:
    """In which samples of a split an artifact was found, and where.

    Attributes:
        carriers: (N,) bool.
        masks: by index, packed to bits.
        size: (H, W) of the images.
    """

    carriers: NDArray[np.bool_]
    masks: Mapping[int, NDArray[np.uint8]]
    size: tuple[int, int]

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return where it lies on a sample that carries it: (H, W); KeyError for one that does not."""
        height, width = self.size
        return np.unpackbits(self.masks[index], count=height * width).reshape(self.size).astype(bool)


def find_carriers(
    detector: Detector,
    dataset: Dataset,
    label: int,
    batch_size: int = 32,
    advance: Advance = lambda images: None,
    whole: bool = False,
) -> FoundCarriers:
    """Look for an artifact in all samples of a class, a batch at a time; found without a place, it is not found.

    Args:
        detector: of the artifact.
        dataset: of (image, label, …) items.
        label: the class.
        batch_size: images at once.
        advance: called with a number of images whenever some were looked at.
        whole: whether the artifact lies on whole images.

    Raises:
        ValueError: it was found on all of an image, and does not lie on whole ones.
    """
    shown = DisplayedImages(dataset)
    carriers, masks, size = np.zeros(len(shown.labels), dtype=bool), {}, (0, 0)
    own = np.flatnonzero(shown.labels == label)
    for start in range(0, len(own), batch_size):
        asked = own[start : start + batch_size]
        images, kept = shown.read(asked)
        if len(kept):
            match, size = detector.match(images), (int(images.shape[-2]), int(images.shape[-1]))
            for row in np.flatnonzero(match.carries & match.masks.any((1, 2))):
                if not whole:
                    check_mask(match.masks[row], f" of sample {kept[row]}")
                carriers[kept[row]], masks[int(kept[row])] = True, np.packbits(match.masks[row])
        advance(len(asked))
    return FoundCarriers(carriers, masks, size)


def clean_images(
    dataset: Dataset,
    label: int,
    found: FoundCarriers | None = None,
    fill: str = "telea",
    transform: Transform | None = None,
) -> Callable[[int], Tensor]:
    """Return the function from an index to the image (3, H, W) in [0, 1] without the artifact of a class.

    That is the image as it was before planting; else, where the artifact was found, the image without it. It raises
    UnreadableImageError where the image cannot be read.

    Args:
        dataset: of (image, label, …) items.
        label: the class.
        found: where the artifact was found, if it was looked for.
        fill: how it is then painted over.
        transform: what is undone instead, of an artifact of whole images.
    """
    shown, planted = DisplayedImages(dataset), planted_as(dataset, label)

    def clean(index: int) -> Tensor:
        if planted is not None:
            return planted.truth(index)
        image = shown.image(index)
        if found is None or not found.carriers[index]:
            return image
        return Remove(found.mask(index), fill)(image) if transform is None else transform.undo(image[None])[0]

    return clean


def planted_as(dataset: Dataset, label: int) -> Planted | None:
    """Return the artifact that a data set of ours plants in a class, or None."""
    planted = planted_in(dataset)
    return planted if planted is not None and planted.target == label else None
