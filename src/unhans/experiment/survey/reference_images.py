"""Images of all classes on the disk, to which the workers hold those of one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from unhans.data import displayed, labels_of, read_samples
from unhans.experiment.survey.explanation import pixels
from unhans.experiment.survey.survey import Survey
from unhans.spray.groups import Described
from unhans.store import digest, replacing


def reference_file(survey: Survey) -> Path:
    """Return where the reference of a survey lies."""
    return survey.out / "reference.npz"


def write_reference(survey: Survey) -> None:
    """Write the reference of a survey, as uint8 images with labels, unless it is there.

    Raises OSError where the disk is full.
    """
    path, key = reference_file(survey), digest(survey.reference_content, survey.reference)
    if _key_of(path) == key:
        return
    images, kept = read_samples(survey.dataset, survey.reference)
    labels = labels_of(survey.dataset) if survey.labels is None else survey.labels
    shown = pixels(displayed(survey.dataset, images))
    shown = np.broadcast_to(shown, (len(shown), 3, *shown.shape[2:]))
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, images=shown, labels=labels[kept], key=key)


def other_images(path: Path, label: int) -> Described:
    """Return what the images of a stored reference look like that are not of this class."""
    described, labels = _described(path, path.stat().st_mtime_ns)
    return described[labels != label]


@lru_cache(maxsize=1)
def _described(path: Path, written: int) -> tuple[Described, NDArray[np.int64]]:
    """All images of the reference, described once in a process; written: when the file was, so that no old one is."""
    with np.load(path) as stored:
        return Described.of(stored["images"].astype(np.float32) / 255), stored["labels"]


def _key_of(path: Path) -> str | None:
    """By what a stored reference is known again; None where there is none, or not a whole one."""
    try:
        with np.load(path) as stored:
            return str(stored["key"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
