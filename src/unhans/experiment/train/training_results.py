"""The end of a training run: the planted artifact, verdicts of the last audits, what was done, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from torch import Tensor, nn

from unhans.artifacts import EdgePadding
from unhans.attribution import Relevance
from unhans.callbacks import SpRAyAudit, UnHans
from unhans.data import ImageDataset, carriers_of, display_images, entries_at, once, read_samples, without_class
from unhans.data.sources import ImageData
from unhans.effects import Case, Known, draw_evenly
from unhans.experiment.run import Classifier
from unhans.harness import bench_of, compare_with_planted, measure_pasted, planted_in
from unhans.report.html import (
    CasePictures,
    CaseSection,
    ClassDecisions,
    Correction,
    case_pictures,
    class_part,
    thumbnails_for,
    write_report,
)
from unhans.report.tables import class_states, decisions_text, states_table, verdict_lines
from unhans.report.text import SHARE, artifact_sentence, truth_sentence
from unhans.spray import ClassAudit, Suspicion
from unhans.store import file_stem
from unhans.store.virelay import load_audit
from unhans.terminal import CONSOLE

BATCH = 64
MOST = 500  # images of other classes that the artifact is pasted on
SEED = 0  # of the images that are drawn
NOTHING = "Nothing was proven, so training was left as it is."
NAMES = ("ranking.csv", "suspects.csv")  # the last that an audit writes; the page offers them
AUDITED = {"train": "training images", "val": "validation images"}
DETAILED = 3  # cases up to which all are told in words; of more those that are proven, and the planted one


def planted_recovery(audit: SpRAyAudit, data: ImageData) -> dict[str, float]:
    """Hold the striking cluster of the planted class against the images that really carry the artifact."""
    target = data.artifact.target_index(data.classes)
    name = data.classes[target]
    place = next((i for i, found in enumerate(audit.ranking, 1) if found.label == target), None)
    if place is None:
        CONSOLE.print(f"The planted class {name!r} has not been audited.")
        return {}
    carriers = carriers_of(audit.dataset)
    cluster, audited = audit.clusters[target], audit.samples_of(target)
    hits = carriers[cluster].sum()
    precision, recall = hits / max(1, len(cluster)), hits / max(1, carriers[audited].sum())
    found = (
        f"its most striking cluster holds {len(cluster)} images, {100 * precision:.0f} % of them with the artifact "
        f"({100 * recall:.0f} % of all that carry it)."
    )
    ranks = f"The planted class {name!r} ranks {_ordinal(place)} of {len(audit.ranking)}; "
    CONSOLE.print(ranks + (found if len(cluster) else "it is too small to hold two clusters."))
    return {"planted/rank": float(place), "planted/precision": float(precision), "planted/recall": float(recall)}


def planted_effect(classifier: Classifier, data: ImageData) -> dict[str, float]:
    """Paste the planted artifact on validation images of the other classes and measure the change."""
    if isinstance(data.artifact, EdgePadding):
        CONSOLE.print("What the copied borders do is measured by analysis=squaring: they cannot be pasted on others.")
        return {}
    target = data.artifact.target_index(data.classes)
    usable = ~data.val_set.carriers & ~data.val_set.unreadable.numpy()
    others = once(data.val_set, np.flatnonzero(usable & without_class(data.val_set, data.val_set.labels, target)))
    if not len(others):
        return {}
    chosen = draw_evenly(data.val_set.labels, others, MOST, SEED)
    bench = bench_of(classifier.model, data.val_set, Relevance(), device=classifier.device, batch_size=BATCH)
    bench = bench.against_rest(target) if data.several else bench
    effect = measure_pasted(bench, data.artifact, target, chosen)
    low, high = effect.share_interval
    CONSOLE.print(
        f"Pasted on {effect.n} validation images of other classes, the artifact turns "
        f"{SHARE.in_full(effect)} of them into {data.classes[target]!r} (95 % interval).",
        markup=False,
    )
    interval = {"planted/flipped_low": low, "planted/flipped_high": high, "planted/pasted": float(effect.n)}
    return {"planted/flipped": effect.share, "planted/delta_p": effect.probability} | interval


def planted_numbers(truth: Known) -> dict[str, float]:
    """Return how the isolated artifact compares with the planted one, as far as it is known."""
    numbers = {"planted/found": float(truth.found), "planted/right": float(truth.right)}
    if truth.right and truth.iou is not None:
        numbers["planted/iou"] = truth.iou
    if truth.within is not None:
        numbers["planted/within"] = float(truth.within)
    return numbers


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def with_decisions(sections: Mapping[int, CaseSection], audit: UnHans) -> dict[int, CaseSection]:
    """Return the sections of the report by label, with the decisions about each class.

    A class that was acted on and is not suspicious any more has a section of its own, if it is still audited.
    """
    found = dict(sections)
    for label in sorted({each.label for each in audit.decisions}):
        decisions = [each for each in audit.decisions if each.label == label]
        decided = ClassDecisions(decisions, [each for each in audit.followed if each.label == label], audit.act)
        if label in found or decided.followed:
            found[label] = replace(found.get(label, CaseSection(None)), decided=decided)
    return found


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
    sections: Mapping[int, CaseSection] | None = None,
    images: str = "training images",
) -> None:
    """Write the report of a run from the newest file that its audits left of every class.

    Args:
        path: the page.
        audits: the folder that holds `epoch_NNN`; an audit that failed before its end is left out.
        dataset: what was audited.
        ranking: the classes.
        sections: about artifacts, by label.
        images: what the data set holds, in words.

    Raises:
        OSError: a file cannot be read or written.
    """
    last, meaning = finished_audits(audits)[0], ""
    thumbnails = thumbnails_for(len(ranking))
    with TemporaryDirectory(prefix="unhans-") as temporary:
        parts = [Path(temporary) / f"{entry.label}.zlib" for entry in ranking]
        for part, entry in zip(parts, ranking, strict=True):  # the heatmaps of one class in memory
            audit = newest_audit(audits, entry.label, entry.name)
            meaning = audit.description
            own = entries_at(dataset, audit.index, entry.label)
            paths = [dataset.paths[index] for index in own]
            part.write_bytes(class_part(audit, Pictures(dataset, own), dataset.classes, paths, thumbnails))
        write_report(
            path,
            parts=parts,
            ranking=ranking,
            title=title,
            subtitle=f"{images} · {meaning} · {last.name.replace('_', ' ')}",
            downloads={name: last / name for name in NAMES},
            cases=((label, [section]) for label, section in (sections or {}).items()),
        )


def newest_audit(audits: Path, label: int, name: str) -> ClassAudit:
    """Read the last audit of a class from the folder that holds `epoch_NNN`.

    Classes take turns where audits are limited to a share of the time; one that failed before its end is the last
    choice.

    Raises:
        FileNotFoundError: the class was not audited.
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


def write_verdicts(
    audit: SpRAyAudit,
    network: nn.Module,
    data: ImageData,
    out: Path,
    after: Callable[[Case], Correction | None] = lambda case: None,
) -> dict[str, float]:
    """Print what became of the suspicions of a run's last audits and write report.html; return their numbers.

    Args:
        audit: the callback after the run.
        network: the trained one.
        data: what it was trained on.
        out: the run's folder.
        after: does what follows the verdict of a case, and returns what the report tells of it.

    Raises:
        OSError: a file cannot be read or written.
    """
    audits, page = Path(audit.folder or out / (audit.run_folder or "audit")), out / "report.html"
    if not finished_audits(audits):
        CONSOLE.print("No audit came to its end, so there is no report.")
        return {}
    numbers, sections = {"audit/proven": float(sum(case.proven for case in audit.cases.values()))}, {}
    for label, case in audit.cases.items():
        found = newest_audit(audits, label, case.name)
        truth = _truth(audit, network, case, found)
        numbers |= {} if truth is None else planted_numbers(truth)
        if case.proven or truth is not None or len(audit.cases) <= DETAILED:
            CONSOLE.print(verdict_lines(case, "" if truth is None else truth_sentence(truth)))
        sections[label] = CaseSection(case, _pictures(audit, case, found, data), truth, after(case))
    classes = [(entry.label, entry.name) for entry in audit.ranking]
    seconds = audit.seconds["audit"], audit.seconds["test"]
    CONSOLE.print(states_table(class_states(classes, list(audit.cases.values()), *seconds, {})))
    if isinstance(audit, UnHans):
        sections = with_decisions(sections, audit)
        told = [artifact_sentence(each, audit.act) for each in audit.followed] or [NOTHING]
        CONSOLE.print(decisions_text(told, audit.decisions))
        numbers |= audit.further_scalars()
    title = f"Is {type(network).__name__} right for the right reasons?"
    images = AUDITED.get(audit.source, "images") if isinstance(audit.source, str) else "images of the given data set"
    write_run_report(page, audits, audit.dataset, audit.ranking, title, sections, images)
    CONSOLE.print(f"The report of the last audits is [bold]{escape(str(page))}[/]")
    return numbers


def _truth(audit: SpRAyAudit, network: nn.Module, case: Case, found: ClassAudit) -> Known | None:
    """Compare a case with the planted artifact, if its class carries one."""
    planted = planted_in(audit.dataset)
    if planted is None:
        return None
    return compare_with_planted(audit.bench(network), case, planted, entries_at(audit.dataset, found.index, case.label))


def _pictures(audit: SpRAyAudit, case: Case, found: ClassAudit, data: ImageData) -> CasePictures:
    images, _ = read_samples(audit.dataset, entries_at(audit.dataset, found.index, case.label))
    return case_pictures(case, data.classes, display_images(audit.dataset, images).numpy(), found.heatmaps)
