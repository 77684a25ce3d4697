"""How much a proof computes, for a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_STATES = 2  # before and after


class Meter:
    """Reports how many of the planned images are done; what could not be read counts as done in the end."""

    def __init__(self, planned: int, advance: Callable[[int], None]) -> None:
        self.left, self.advance = planned, advance

    def __call__(self, images: int) -> None:
        """Report a number of images; never more than were planned in all."""
        images = min(images, self.left)
        self.left -= images
        if images > 0:
            self.advance(images)

    def finish(self) -> None:
        """Report what is left."""
        if self.left > 0:
            self(self.left)


def work(added: int, removed: int, unaffected: NDArray[np.int64], fills: Sequence[str], examples: int) -> int:
    """Return how many images are predicted or explained.

    added, removed: samples to paste on and to take away from, each as it is, with the artifact changed and for every
    control; examples: of each part, explained before and after.
    """
    controls = 2 + bool(len(unaffected))
    shown = min(examples, added) + min(examples, removed)
    return added * (_STATES + controls) + removed * (_STATES + len(fills)) + _STATES * shown
