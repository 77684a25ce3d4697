"""After a training run has proven an artifact: the network corrected by P-ClArC, beside the trained one."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from unhans.artifacts.case import Case
from unhans.callbacks import SpRAyAudit
from unhans.data import ImageData
from unhans.experiment.affection import affected_by_case
from unhans.experiment.outcomes import Method
from unhans.experiment.repair_account import conclude, numbers_of
from unhans.experiment.repair_key import Keys
from unhans.experiment.repair_settings import Settings
from unhans.experiment.repairing import Repairing
from unhans.experiment.start import Given
from unhans.experiment.subject import Subject
from unhans.store import file_stem, held, replacing

COMPARED: tuple[Method, ...] = ("uncorrected", "p_clarc")
SAMPLES = 100  # images with and without the artifact that the concept is fitted on, of each


def correct_proven(
    audit: SpRAyAudit, network: nn.Module, data: ImageData, out: Path, console: Console
) -> dict[str, float]:
    """Correct a copy of the network for every artifact that the run's last audits have proven, and compare the two.

    Tables, figures, a report and the corrected network go to `out/corrected/<class>/`. Returns the numbers of both,
    such as "p_clarc/effect", of the last class. What cannot be corrected is said in one sentence; the rest goes on.
    """
    numbers: dict[str, float] = {}
    for case in audit.cases.values():
        if case.proven:
            console.print(
                f"\n[bold]Class {escape(case.name)}: the network corrected (P-ClArC), beside the trained one[/]"
            )
            try:
                numbers |= _corrected(audit, case, network, data, out, console)
            except ValueError as error:
                console.print(f"[red]It could not be corrected:[/] {escape(str(error))}")
    return numbers


def _corrected(
    audit: SpRAyAudit, case: Case, network: nn.Module, data: ImageData, out: Path, console: Console
) -> dict[str, float]:
    folder = out / "corrected" / file_stem(case.label, case.name)
    subject = _subject(audit, network, data, folder)
    with replacing(folder / "config.yaml") as part:
        shutil.copyfile(out / "config.yaml", part)
    affected = affected_by_case(subject, case)
    repairing = Repairing(Keys(subject, None, Given(network), affected, Settings(samples=SAMPLES)))
    with held(folder):
        outcomes = [repairing.outcome(method, audit.seed) for method in COMPARED]
        conclude(subject, affected, outcomes, None)
    console.print(f"The corrected network is [bold]{escape(str(outcomes[1].folder / 'model.ckpt'))}[/]")
    return numbers_of(outcomes)


def _subject(audit: SpRAyAudit, network: nn.Module, data: ImageData, folder: Path) -> Subject:
    return Subject(
        network=network,
        data=data,
        split="train",
        samples_per_class=None,
        attribution=audit.attribution,
        batch_size=audit.batch_size,
        device=next((parameter.device for parameter in network.parameters()), torch.device("cpu")),
        seed=audit.seed,
        out=folder,
    )
