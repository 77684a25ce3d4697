"""Where the artifact lies in the images that are to be cleaned of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts.put_on import WHOLE, is_whole
from unhans.data.affected import Affected
from unhans.experiment.affection import affected_of
from unhans.experiment.check import ConfigurationError
from unhans.experiment.cleaning_copy import Copy
from unhans.experiment.subject import Subject

NOT_FOUND = "the artifact was not found in it"

Masks = Callable[[Copy], "NDArray[np.bool_] | str"]  # (S, S) in the image a network sees, or why there is none


def drawn_masks(region: NDArray[np.bool_]) -> Masks:
    """Return one mask (S, S) for all images."""
    return lambda copy: region


def isolated_masks(subject: Subject, effects: Path, labels: Iterable[int], fill: str) -> Masks:
    """Return where the artifacts that analysis=effect isolated are found, class by class.

    effects: its folder. labels: of the classes. Raises ValueError or OSError where none was isolated from any of them.
    """
    if not (Path(effects) / "artifacts").is_dir():
        raise ConfigurationError(
            f"analysis.way=inpaint needs the folder of analysis=effect, as out=… or analysis.effects=…, or a picture, "
            f"as analysis.mask=…; {effects} holds no artifacts/."
        )
    found: dict[int, Affected] = {}
    reasons: dict[int, str] = {}
    for label in sorted(labels):
        try:
            found[label] = affected_of(subject, str(effects), label, fill=fill)
        except ConfigurationError as error:
            reasons[label] = str(error)
    if not found:
        raise ConfigurationError(next(iter(reasons.values())))
    return lambda copy: _mask(copy, found, reasons)


def _mask(copy: Copy, found: Mapping[int, Affected], reasons: Mapping[int, str]) -> NDArray[np.bool_] | str:
    if copy.label in reasons:
        return reasons[copy.label]
    affected = found[copy.label]
    if is_whole(affected.artifact):
        return f"{WHOLE}, so there is nothing to paint over it with"
    return affected.mask(copy.split, copy.index) if affected.carriers[copy.split][copy.index] else NOT_FOUND
