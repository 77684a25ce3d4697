"""An artifact, the class it belongs to and the samples that carry it: planted, a given picture, or isolated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Artifact, Layered, check_fits, covered
from unhans.data import names_of
from unhans.harness.artifact_search import look_for
from unhans.harness.clean_images import Originals, planted_as
from unhans.harness.network_bench import planted_in
from unhans.isolation import Isolated

Source = Literal["planted", "isolated", "picture"]


@dataclass(frozen=True)
class Affected:
    """What a repair starts from.

    artifact: its layer on every sample, by the sample's index in its own split; label, class_name: of the class that it
    belongs to; name: what it is, in a few words; source: where it is known from; fixed: whether it lies at one place in
    all images; carriers: by split, "train" and "val", (N,) the samples that carry it, all False where nobody knows.
    mask: (split, index) → (H, W), where it lies on a sample that carries it. clean: (split, index) → (3, H, W) in
    [0, 1], the sample's image without it, as it was before it was planted, else inpainted; samples that do not carry it
    as they are; raises UnreadableImageError where a file cannot be read. remark: what a user should know about it, such
    as that its effect is not proven, in one sentence; "" for nothing.
    """

    artifact: Layered
    label: int
    class_name: str
    name: str
    source: Source
    fixed: bool
    carriers: Mapping[str, NDArray[np.bool_]]
    mask: Callable[[str, int], NDArray[np.bool_]]
    clean: Callable[[str, int], Tensor]
    remark: str = ""

    @property
    def said(self) -> str:
        """What it is and its class, each once."""
        return self.name if repr(self.class_name) in self.name else f"{self.name}, of class {self.class_name!r}"


Splits = Mapping[str, Dataset]
Size = tuple[int, int]
Advance = Callable[[int], None]

_SAME = 0.5  # intersection over union from which a picture is taken for the planted artifact


def by_planted(splits: Splits, size: Size) -> Affected | None:
    """Return the artifact that data sets of ours plant, with what is known of it; None where they plant none.

    splits: {"train": …, "val": …}, each with indices of its own; size: (H, W) of their images.
    """
    planted = planted_in(splits["train"])
    if planted is None:
        return None
    name = names_of(splits["train"], np.array([planted.target]))[planted.target]
    return _known(planted.artifact, planted.target, name, f"the planted {planted.name}", "planted", splits, size)


def by_picture(artifact: Artifact, label: int, class_name: str, name: str, splits: Splits, size: Size) -> Affected:
    """Return a given artifact of a class; name: what it is.

    Nobody knows who carries it, but where the data plant an artifact in this class that covers about the same pixels:
    then it is taken for that one. Raises ValueError where it is larger than the images.
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
) -> Affected:
    """Return an isolated artifact of a class, looked for in all samples of the class by its detector.

    Where the data plant an artifact in this class, the images without it are the true ones; else they are inpainted or,
    for an artifact of whole images, changed back.

    Args:
        isolated: the artifact, with a layer or a transform, and a detector.
        label, class_name: of its class.
        splits: {"train": …, "val": …}, each with indices of its own.
        size: (H, W) of their images.
        batch_size: images at once.
        fill: how it is taken away where no image without it is known.
        advance: called with a number of images whenever some were looked at, all of the class in the end.

    Raises ValueError for an artifact without a layer, a transform or a detector, one of images of another size, and
    where a layer was found on all of an image.
    """
    check_fits(isolated, size)  # one that has no layer, or does not fit, is refused now
    if isolated.detector is None:
        raise ValueError("an isolated artifact needs a detector that tells who carries it, got none")
    detector = isolated.detector
    transform = isolated.transform
    options = {"batch_size": batch_size, "advance": advance, "whole": transform is not None}
    found = {name: look_for(detector, split, label, **options) for name, split in splits.items()}
    originals = {name: Originals(split, label, found[name], fill, transform) for name, split in splits.items()}
    return Affected(
        artifact=isolated,
        label=label,
        class_name=class_name,
        name=f"the {isolated.kind} artifact that was isolated from class {class_name!r}",
        source="isolated",
        fixed=isolated.kind != "free",
        carriers={name: one.carriers for name, one in found.items()},
        mask=lambda split, index: found[split].mask(index),
        clean=lambda split, index: originals[split].clean(index),
    )


def lies_still(artifact: Layered) -> bool:
    """Tell whether an artifact lies at one place in all images."""
    return not str(getattr(artifact, "placement", "")).startswith("random")


def _known(
    artifact: Artifact, label: int, class_name: str, name: str, source: Source, splits: Splits, size: Size
) -> Affected:
    """An artifact whose carriers are those that the data plant one in, if they plant one in this class."""
    originals = {split: Originals(dataset, label) for split, dataset in splits.items()}
    planted = {split: planted_as(dataset, label) for split, dataset in splits.items()}

    def mask(split: str, index: int) -> NDArray[np.bool_]:
        return covered((planted[split] or artifact).layer(index, size)[3].numpy())

    return Affected(
        artifact=artifact,
        label=label,
        class_name=class_name,
        name=name,
        source=source,
        fixed=lies_still(artifact),
        carriers={
            split: np.zeros(len(splits[split]), dtype=bool) if own is None else own.carriers  # type: ignore[arg-type]
            for split, own in planted.items()
        },
        mask=mask,
        clean=lambda split, index: originals[split].clean(index),
    )


def _overlap(artifact: Artifact, found: Affected, size: Size) -> float:
    """The intersection over union of an artifact and the planted one, on a sample that carries that; 0 without one."""
    for split, carriers in found.carriers.items():
        for index in np.flatnonzero(carriers)[:1]:
            own, planted = covered(artifact.layer(int(index), size)[3].numpy()), found.mask(split, int(index))
            return float((own & planted).sum() / (own | planted).sum())
    return 0.0
