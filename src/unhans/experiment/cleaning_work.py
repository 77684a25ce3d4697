"""Writing the copies of a cleaned data set, and going on with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from unhans.data.picture import UnreadableImageError
from unhans.experiment.check import ConfigurationError
from unhans.experiment.cleaning_copy import Copy, painted_over
from unhans.experiment.cleaning_masks import Masks
from unhans.store import differences, replacing

Outcome = Literal["inpainted", "left out", "unchanged", "unreadable", "not listed"]

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Cleaned:
    """What became of one image; reason: why one that is listed is unchanged."""

    copy: Copy
    outcome: Outcome
    reason: str = ""


def check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Refuse a folder that holds images other than those that these settings make.

    Raises ConfigurationError, naming the first setting that differs.
    """
    path = folder / SETTINGS
    if path.is_file():
        different = differences(json.loads(path.read_text(encoding="utf-8")), settings)
        if different:
            raise ConfigurationError(
                f"{folder} holds images that were cleaned otherwise ({different[0]}); give another out=… folder."
            )
    elif folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} holds files that are not of analysis=cleaning; give another out=… folder.")


def keep_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write what decides how the images in a folder look, before the first of them."""
    with replacing(folder / SETTINGS) as part:
        part.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def write_copies(
    copies: Sequence[Copy], listed: Sequence[bool], masks: Masks | None, fill: str, say: Callable[[str, int], None]
) -> list[Cleaned]:
    """Write the copies that are not there yet; return what became of each.

    listed: which are cleaned; masks: where the artifact lies in them, None leaves them out.
    """
    done = []
    for copy, cleaned in zip(copies, listed, strict=True):
        done.append(_written(copy, cleaned, masks, fill))
        say(f"copying {copy.split} images", 1)
    return done


def _written(copy: Copy, listed: bool, masks: Masks | None, fill: str) -> Cleaned:
    if listed and masks is None:
        return Cleaned(copy, "left out")
    try:
        return _inpainted(copy, masks, fill) if listed and masks is not None else _copied(copy)
    except UnreadableImageError as error:
        return Cleaned(copy, "unreadable", str(error))


def _copied(copy: Copy, outcome: Outcome = "not listed", reason: str = "") -> Cleaned:
    if not copy.file.is_file():
        copy.write(copy.picture())
    return Cleaned(copy, outcome, reason)


def _inpainted(copy: Copy, masks: Masks, fill: str) -> Cleaned:
    mask = masks(copy)
    if isinstance(mask, str):
        return _copied(copy, "unchanged", mask)
    picture = copy.picture()
    try:
        native = copy.native(mask, picture)
    except ValueError as error:
        return _copied(copy, "unchanged", str(error))
    if not copy.file.is_file():
        copy.write(painted_over(picture, native, fill))
    return Cleaned(copy, "inpainted")
