"""After a training run has proven an artifact: the network corrected by P-ClArC, beside the trained one."""

from __future__ import annotations

import html
import shutil
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from unhans.callbacks import SpRAyAudit
from unhans.data import ImageData
from unhans.effects import Case
from unhans.experiment.repair import Given, Keys, Repairing, Settings, affected_by_case, conclude, numbers_of
from unhans.experiment.run import Subject
from unhans.repair import Method, Outcome
from unhans.store import file_stem, held, replacing

COMPARED: tuple[Method, ...] = ("uncorrected", "p_clarc")
HEADING = "<h3>Corrected by P-ClArC</h3>"
SAMPLES = 100  # images with and without the artifact that the concept is fitted on, of each


class Corrections:
    """Corrects a copy of a run's network for every artifact that its last audits have proven, and compares the two.

    numbers: of both networks, such as "p_clarc/effect", of the last class.
    """

    def __init__(self, audit: SpRAyAudit, network: nn.Module, data: ImageData, out: Path, console: Console) -> None:
        self.audit, self.network, self.data, self.out, self.console = audit, network, data, out, console
        self.numbers: dict[str, float] = {}

    def correct(self, case: Case) -> str:
        """Write the comparison and the corrected network to `out/corrected/<class>/`; nothing where nothing is proven.

        Returns what the run's report says of it, as HTML. What cannot be corrected is said in one sentence.
        """
        if not case.proven:
            return ""
        self.console.print(
            f"\n[bold]Class {escape(case.name)}: the network corrected (P-ClArC), beside the trained one[/]"
        )
        try:
            before, after = self._outcomes(case)
        except ValueError as error:
            self.console.print(f"[red]It could not be corrected:[/] {escape(str(error))}")
            return f"{HEADING}<p>This could not be done: {html.escape(str(error))}</p>"
        numbers = numbers_of([before, after])
        if not self.numbers:  # the first one's also without its class
            self.numbers |= numbers
        self.numbers |= {f"{case.name}/{name}": value for name, value in numbers.items()}
        self.console.print(f"The corrected network is [bold]{escape(str(after.folder / 'model.ckpt'))}[/]")
        page = f"corrected/{file_stem(case.label, case.name)}/report.html"
        return f'{HEADING}<p>{_change(before, after)}. <a href="{html.escape(page)}">Both networks</a></p>'

    def _outcomes(self, case: Case) -> list[Outcome]:
        folder = self.out / "corrected" / file_stem(case.label, case.name)
        subject = _subject(self.audit, self.network, self.data, folder)
        with replacing(folder / "config.yaml") as part:
            shutil.copyfile(self.out / "config.yaml", part)
        affected = affected_by_case(subject, case)
        repairing = Repairing(Keys(subject, None, Given(self.network), affected, Settings(samples=SAMPLES)))
        with held(folder):
            outcomes = [repairing.outcome(method, self.audit.seed) for method in COMPARED]
            conclude(subject, affected, outcomes, None)
        return outcomes


def _change(before: Outcome, after: Outcome) -> str:
    """Say what the correction changed, of validation images."""
    was, now = before.assessment, after.assessment
    return (
        f"The artifact's Δp goes from {was.effect.probability:+.3f} to {now.effect.probability:+.3f} "
        f"(n = {now.effect.n}), accuracy from {100 * was.clean.share:.1f} % to {100 * now.clean.share:.1f} % "
        f"(n = {now.clean.n} validation images)"
    )


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
