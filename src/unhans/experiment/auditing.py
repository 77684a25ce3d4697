"""The analysis `spray`: cluster the heatmaps of every class and rank the classes."""

from __future__ import annotations

from functools import partial

from unhans.data import reading
from unhans.experiment.console import CONSOLE
from unhans.experiment.subject import Subject
from unhans.report import AuditPages, progress, ranking_table
from unhans.spray import Auditor, SpRAy, Suspicion, judge, ranked


def audit_classes(subject: Subject, spray: SpRAy, control: bool = True) -> dict[str, float]:
    """Audit class by class; print and write the ranking.

    Each class is on disk as soon as it is done, and the ranking is written even when the work is interrupted.

    Args:
        subject: what is audited.
        spray: how heatmaps are clustered.
        control: run the same analysis on the raw images.
    """
    meaning = subject.attribution.description
    explain = subject.attribution.of(subject.network)
    auditor = Auditor(explain, spray, meaning, subject.batch_size, subject.device)
    pages = AuditPages(subject.out, subject.dataset.paths, subject.classes, f"{subject.split} images · {meaning}")
    found: list[Suspicion] = []
    try:
        _audit_each(subject, auditor, control, pages, found)
    finally:
        subject.data.report_unreadable()
        if found:
            pages.finish(ranked(found))
    if not found:
        raise ValueError("no class could be audited; the reasons are above.")
    CONSOLE.print(ranking_table(ranked(found)))
    return {"suspicious": float(sum(suspicion.suspicious for suspicion in found))}


def _audit_each(subject: Subject, auditor: Auditor, control: bool, pages: AuditPages, found: list[Suspicion]) -> None:
    """Add every class that can be audited to what was found, and say why another cannot."""
    dataset, names, subsets = subject.dataset, subject.classes, subject.subsets()
    with progress(sum(map(len, subsets.values()))) as say:
        for label, indices in subsets.items():
            text = f"class {names[label]}"
            say(text, 0)
            images, index = reading.read(dataset, indices)
            try:
                raw = auditor.control_of(images) if control else None
                audit = auditor.audit(images, index, label, names[label], raw, partial(say, text))
            except ValueError as error:
                CONSOLE.print(f"[yellow]not ranked:[/] class {names[label]!r}: {error}")
                continue
            found.append(judge(audit))
            pages.add(audit, dataset.denormalise(images), found[-1])
