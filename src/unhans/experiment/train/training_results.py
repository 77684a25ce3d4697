"""The end of a training run: verdicts of its last audits, what it did about them, and its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.text import Text
from torch import Tensor, nn

from unhans.callbacks import SpRAyAudit, UnHans
from unhans.data import ImageData, ImageDataset, displayed, read_samples
from unhans.effects import Case, Known
from unhans.experiment.train.planted_checks import planted_numbers
from unhans.harness import bench_of, known, planted_in, with_more, with_truth
from unhans.repair import STANDINGS, Followed, story
from unhans.report.html import Thumbnails, class_part, pack, proof_part, thumbnails_for, write_report
from unhans.report.tables import (
    class_states,
    decisions_part,
    decisions_section,
    decisions_text,
    states_table,
    verdict_lines,
    with_decisions,
)
from unhans.report.text import ranking_sentences, truth_sentence
from unhans.spray import ClassAudit, Suspicion
from unhans.store import file_stem
from unhans.store.virelay import load_audit

NOTHING = "Nothing was proven, so training was left as it is."


def decided(audit: UnHans) -> Text:
    """Return what a run did about its artifacts, and what came of it."""
    return decisions_text([story(each, audit.act) for each in audit.followed] or [NOTHING], audit.decisions)


def with_all_decisions(sections: Mapping[int, str], audit: UnHans) -> dict[int, str]:
    """Return the sections of the report by label, with the decisions about each class at their end.

    A class that was acted on and is not suspicious any more has a section of its own, if it is still audited.
    """
    found = dict(sections)
    for label in sorted({each.label for each in audit.decisions}):
        own = [each for each in audit.followed if each.label == label]
        sentence = " ".join(story(each, audit.act) for each in own)
        part = decisions_part([each for each in audit.decisions if each.label == label], sentence)
        if label in found:
            found[label] = with_decisions(found[label], part)
        elif own:
            found[label] = decisions_section(part, *_standing(own[-1]), sentence)
    return found


def _standing(each: Followed) -> tuple[str, str]:
    """The last verdict, and a badge for it."""
    verdict = each.verdicts[-1]
    return verdict, STANDINGS[verdict].partition(",")[0]


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


AUDITED = {"train": "training images", "val": "validation images"}
DETAILED = 3  # cases up to which all are told in words; of more those that are proven, and the planted one


def write_verdicts(
    audit: SpRAyAudit,
    network: nn.Module,
    data: ImageData,
    out: Path,
    console: Console,
    after: Callable[[Case], str] = lambda case: "",
) -> dict[str, float]:
    """Print what became of the suspicions of a run's last audits and write report.html; return their numbers.

    out: the run's folder; after: does what follows the verdict of a case, and returns what the report says of it, as
    HTML. Raises OSError where a file cannot be read or written.
    """
    audits, page = Path(audit.folder or out / (audit.own or "audit")), out / "report.html"
    if not finished_audits(audits):
        console.print("No audit came to its end, so there is no report.")
        return {}
    numbers, sections = {"audit/proven": float(sum(case.proven for case in audit.cases.values()))}, {}
    for label, case in audit.cases.items():
        found = newest_audit(audits, label, case.name)
        truth = _truth(audit, network, case, found)
        sections[label] = with_truth(_section(audit, case, found, data), truth)
        numbers |= {} if truth is None else planted_numbers(truth)
        if case.proven or truth is not None or len(audit.cases) <= DETAILED:
            console.print(verdict_lines(case, "" if truth is None else truth_sentence(truth)))
        sections[label] = with_more(sections[label], after(case))
    classes = [(entry.label, entry.name) for entry in audit.ranking]
    seconds = audit.seconds["audit"], audit.seconds["test"]
    console.print(states_table(class_states(classes, list(audit.cases.values()), *seconds, {})))
    if isinstance(audit, UnHans):
        sections = with_all_decisions(sections, audit)
        console.print(decided(audit))
        numbers |= audit.charted()
    title = f"Is {type(network).__name__} right for the right reasons?"
    images = AUDITED.get(audit.source, "images") if isinstance(audit.source, str) else "images of the given data set"
    write_run_report(page, audits, audit.dataset, audit.ranking, title, sections, images)
    console.print(f"The report of the last audits is [bold]{escape(str(page))}[/]")
    return numbers


def _truth(audit: SpRAyAudit, network: nn.Module, case: Case, found: ClassAudit) -> Known | None:
    """Compare a case with the planted artifact, if its class carries one."""
    planted = planted_in(audit.dataset)
    if planted is None:
        return None
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    options = {"device": device, "batch_size": audit.batch_size, "seed": audit.seed}
    bench = bench_of(network, audit.dataset, audit.attribution, labels=audit.labels, **options)
    return known(bench, case, planted, found.index)


def _section(audit: SpRAyAudit, case: Case, found: ClassAudit, data: ImageData) -> str:
    images, _ = read_samples(audit.dataset, found.index)
    return proof_part(case, data.classes, displayed(audit.dataset, images).numpy(), found.heatmaps)
