"""Where in an image an artifact goes."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]
Placement = Literal["top_left", "top_right", "bottom_left", "bottom_right", "random_corner", "random_position"]


def check_placement(placement: str) -> Placement:
    """Return the placement, or raise ValueError for an unknown one."""
    if placement not in get_args(Placement):
        raise ValueError(f"placement must be one of {', '.join(get_args(Placement))}, got {placement!r}")
    return placement  # type: ignore[return-value]


def place(placement: Placement, room: tuple[int, int], index: int, seed: int) -> tuple[int, int]:
    """Return (top, left) in pixels, a function of the seed and the sample's index alone [004 decoys].

    room: (vertical, horizontal) pixels by which the image is larger than the artifact.
    """
    rng = np.random.default_rng([seed, index])
    if placement == "random_position":
        top, left = rng.integers(0, room, endpoint=True)
        return int(top), int(left)
    corner = str(rng.choice(get_args(Corner))) if placement == "random_corner" else placement
    return room[0] * corner.startswith("bottom"), room[1] * corner.endswith("right")
