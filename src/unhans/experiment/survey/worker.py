"""The job of a worker: from the heatmaps of one class to everything that is said about it, and how far it is."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from unhans.experiment.survey.explanation import other_images, reference_file
from unhans.experiment.survey.survey import ClassResult, Survey, save_result
from unhans.report.figures import class_figure, cluster_strip
from unhans.report.html import Thumbnails, class_part
from unhans.report.tables import cluster_rows, striking_rows
from unhans.spray import ClassAudit, Suspicion, control_of, propose_groups, rank_clusters, suspicion_of
from unhans.spray.groups import image_groups
from unhans.store import replacing, write_figure
from unhans.store.virelay import ClassFiles, StoredMaps, open_maps, save_analysis

EVERY = 1.0  # seconds between two notes

NAME = ".progress"


class Tick:
    """Notes the share of the work that is done, once a second; called with the work done and the work expected."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._last = 0.0

    def __call__(self, done: int, expected: int) -> None:
        """Note done / expected."""
        if time.monotonic() - self._last < EVERY:
            return
        self._last = time.monotonic()
        self.path.write_text(f"{done / max(1, expected):.4f}", encoding="ascii")

    def end(self) -> None:
        """Remove the note."""
        self.path.unlink(missing_ok=True)


def work_done(folders: Iterable[Path]) -> float:
    """Return the work noted in these folders, in classes; a folder without a note counts as not begun."""
    return sum(_share(folder / NAME) for folder in folders)


def _share(path: Path) -> float:
    try:
        return min(1.0, float(path.read_text(encoding="ascii")))
    except (OSError, ValueError):  # none, or just being written
        return 0.0


STRIP = "strip.jpg"  # the striking cluster as one small picture
POLITENESS = 10  # while the network explains on the same cores, workers take what it leaves


@dataclass(frozen=True)
class ClassJob:
    """One class to cluster.

    Attributes:
        survey: without the network and the data, which workers need not have.
        label: of the class.
        key: by what the result is known again.
        thumbnails: what the report shows of it.
        seconds: that explaining it took.
        polite: let the process that explains go first.
    """

    survey: Survey
    label: int
    key: Mapping[str, Any]
    thumbnails: Thumbnails
    seconds: float
    polite: bool

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.survey.classes[self.label]

    @property
    def files(self) -> ClassFiles:
        """Where its results lie."""
        return self.survey.files(self.label)


@dataclass(frozen=True)
class Failure:
    """An error that nobody foresaw, in one sentence, and where it came from."""

    sentence: str
    trace: str


def cluster_class(job: ClassJob) -> ClassResult | OSError | Failure:
    """Cluster the heatmaps of a class and write everything that follows from them; the result comes last.

    A class that cannot be clustered has a result as well. An error of the disk is returned, for the caller to stop, and
    any other as a `Failure`, so that the other classes go on and nothing is taken for the death of a worker.
    """
    if job.polite and hasattr(os, "nice") and os.nice(0) == 0:  # Windows has none
        os.nice(POLITENESS)
    try:
        result = _result(job)
        save_result(job.files, result, job.key)
    except OSError as error:
        return error
    except Exception as error:
        return Failure(f"it failed ({type(error).__name__}: {error})", traceback.format_exc())
    return result


def _result(job: ClassJob) -> ClassResult:
    began, stored, names = time.perf_counter(), open_maps(job.files), job.survey.names
    names += map(str, range(len(names), stored.logits.shape[1]))  # outputs for which the data have no name
    try:
        audit = _audit(job, stored)
        suspicion = suspicion_of(audit)
    except ValueError as error:
        return ClassResult(job.label, job.name, refused=str(error))
    _write(job, stored, audit, suspicion, names)
    return ClassResult(
        job.label,
        job.name,
        suspicion=suspicion,
        suspects=striking_rows(audit, names, stored.paths),
        clusters=cluster_rows(audit, suspicion),
        seconds=job.seconds + time.perf_counter() - began,
    )


def _audit(job: ClassJob, stored: StoredMaps) -> ClassAudit:
    survey, tick = job.survey, Tick(job.files.folder)
    try:
        spray = clone(survey.spray).fit(stored.maps, advance=tick)
    finally:
        tick.end()
    images = stored.images[:].astype(np.float32) / 255
    latent = {layer: pooled[:] for layer, pooled in stored.latent.items()}
    proposed = image_groups(images, other_images(reference_file(survey), job.label))
    groups = propose_groups(spray, stored.maps[:], latent, images, proposed)
    return ClassAudit(
        label=job.label,
        name=job.name,
        index=stored.index,
        heatmaps=stored.maps,
        prediction=stored.prediction,
        rank=stored.rank,
        spray=spray,
        control=control_of(survey.spray, stored.images) if survey.control else None,
        clusters=rank_clusters(spray, stored.maps, stored.images, groups),
        description=survey.meaning,
        split=stored.split if survey.split == "union" else None,
        target=None if (stored.target == stored.label).all() else stored.target,
    )


def _write(job: ClassJob, stored: StoredMaps, audit: ClassAudit, suspicion: Suspicion, names: list[str]) -> None:
    """Write the analysis, the page, the strip and the entry of the report.

    Whether the class stands out is known when all are: the pages leave it to the ranking.
    """
    save_analysis(job.files, audit, suspicion, job.key)
    with replacing(job.files.folder / STRIP) as path:
        cluster_strip(audit, stored.images).save(path, "JPEG", quality=85)
    figure = class_figure(audit, stored.images, names, subtitle=job.survey.subtitle, groups=job.survey.groups)
    write_figure(job.files.page, figure)
    part = class_part(audit, stored.images, names, stored.paths, job.thumbnails)
    with replacing(job.files.report) as path:
        path.write_bytes(part)
