"""The end of a training run: the verdicts of its last audits, and its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from unhans.artifacts.case import Case
from unhans.callbacks import SpRAyAudit, UnHans
from unhans.data import ImageData, bench_of, planted_in, reading
from unhans.experiment.decided import decided, with_all_decisions
from unhans.experiment.known import Known, known, with_more, with_truth
from unhans.experiment.planted import planted_numbers
from unhans.experiment.run_report import finished_audits, newest_audit, write_run_report
from unhans.report.class_states import class_states, states_table
from unhans.report.effect_tables import verdict_lines
from unhans.report.html import proof_part
from unhans.spray import ClassAudit

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
            console.print(verdict_lines(case, "" if truth is None else truth.sentence))
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
    images, _ = reading.read(audit.dataset, found.index)
    return proof_part(case, data.classes, reading.displayed(audit.dataset, images).numpy(), found.heatmaps)
