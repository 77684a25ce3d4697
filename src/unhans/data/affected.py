"""An artifact, the class it belongs to and the samples that carry it, wherever that is known from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.bench import Layered

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
