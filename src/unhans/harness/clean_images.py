"""Images as they are, or were, without the artifact of a class."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Remove
from unhans.artifacts.transforms import Transform
from unhans.data import Shown
from unhans.harness.artifact_search import Sightings
from unhans.harness.network_bench import Planted, planted_in


@dataclass(frozen=True)
class Originals:
    """The images of a split without the artifact of a class.

    found: where it was found, if it was looked for; fill: how it is then painted over; transform: what is undone
    instead, of an artifact of whole images.
    """

    dataset: Dataset
    label: int
    found: Sightings | None = None
    fill: str = "telea"
    transform: Transform | None = None
    shown: Shown = field(init=False, repr=False)
    planted: Planted | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", Shown(self.dataset))
        object.__setattr__(self, "planted", planted_as(self.dataset, self.label))

    def clean(self, index: int) -> Tensor:
        """Return the image (3, H, W) in [0, 1] as it was before planting; else, where it was found, without it.

        Raises UnreadableImageError where it cannot be read.
        """
        if self.planted is not None:
            return self.planted.truth(index)
        image = self.shown.image(index)
        if self.found is None or not self.found.carriers[index]:
            return image
        if self.transform is not None:
            return self.transform.undo(image[None])[0]
        return Remove(self.found.mask(index), self.fill)(image)


def planted_as(dataset: Dataset, label: int) -> Planted | None:
    """Return the artifact that a data set of ours plants in a class, or None."""
    planted = planted_in(dataset)
    return planted if planted is not None and planted.target == label else None
