"""The report of a training run: what its last audits found in every class, and what was proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.data import ImageDataset
from unhans.report import ranking_sentences
from unhans.report.html import Thumbnails, class_part, pack, thumbnails_for, write_report
from unhans.spray import ClassAudit, Suspicion
from unhans.store import file_stem, load_audit

NAMES = ("ranking.csv", "suspects.csv")  # the last that an audit writes; the page offers them


class Pictures:
    """Images of a data set, each read when it is asked for: (3, H, W) in [0, 1]."""

    def __init__(self, dataset: ImageDataset, index: NDArray[np.int64]) -> None:
        self.dataset, self.index = dataset, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> Tensor:
        """Return the image of a row."""
        return self.dataset.plain(int(self.index[row]))


def write_run_report(
    path: Path,
    audits: Path,
    dataset: ImageDataset,
    ranking: Sequence[Suspicion],
    title: str,
    proofs: Mapping[int, str] | None = None,
    images: str = "training images",
) -> None:
    """Write the report of a run from the newest file that its audits left of every class.

    Args:
        path: the page.
        audits: the folder that holds `epoch_NNN`; an audit that failed before its end is left out.
        dataset: what was audited.
        ranking: the classes.
        title: the heading.
        proofs: the sections about artifacts, by label.
        images: what the data set holds, in words.

    Raises OSError where a file cannot be read or written.
    """
    last, meaning = finished_audits(audits)[0], ""
    thumbnails = thumbnails_for(len(ranking))
    with TemporaryDirectory(prefix="unhans-") as temporary:
        parts = [Path(temporary) / f"{entry.label}.zlib" for entry in ranking]
        for part, entry in zip(parts, ranking, strict=True):  # the heatmaps of one class in memory
            audit = newest_audit(audits, entry.label, entry.name)
            meaning = audit.description
            part.write_bytes(pack(_part(dataset, audit, entry, thumbnails)))
        write_report(
            path,
            parts=parts,
            ranking=ranking,
            title=title,
            subtitle=f"{images} · {meaning} · {last.name.replace('_', ' ')}",
            downloads={name: last / name for name in NAMES},
            sentences=ranking_sentences(ranking),
            proofs=proofs,
        )


def newest_audit(audits: Path, label: int, name: str) -> ClassAudit:
    """Read the last audit of a class from the folder that holds `epoch_NNN`.

    Classes take turns where audits are limited to a share of the time; one that failed before its end is the last
    choice. Raises FileNotFoundError where the class was not audited.
    """
    done = finished_audits(audits)
    folders = [*done, *(folder for folder in _epochs(audits) if folder not in done)]
    paths = [folder / f"{file_stem(label, name)}.h5" for folder in folders]
    return load_audit(next((path for path in paths if path.is_file()), audits / f"{file_stem(label, name)}.h5"))


def finished_audits(audits: Path) -> list[Path]:
    """Return the folders of the audits that came to their end, the last first."""
    return [folder for folder in _epochs(audits) if all((folder / name).is_file() for name in NAMES)]


def _epochs(audits: Path) -> list[Path]:
    return sorted(audits.glob("epoch_*"), key=lambda folder: int(folder.name.rpartition("_")[2]), reverse=True)


def _part(dataset: ImageDataset, audit: ClassAudit, entry: Suspicion, thumbnails: Thumbnails) -> str:
    paths = [dataset.paths[index] for index in audit.index]
    return class_part(audit, Pictures(dataset, audit.index), entry, dataset.classes, paths, thumbnails)
