"""One training run, audited, concluded, corrected where an artifact is proven, and closed in every case."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only
from rich.markup import escape
from torch import nn

from unhans.callbacks import Audit, SpRAyAudit
from unhans.data.sources import ImageData
from unhans.effects import Case
from unhans.experiment.repair import (
    RepairOptions,
    RepairTask,
    affected_by_case,
    copies_of,
    fit,
    numbers_of,
    repair_network,
    report_repairs,
    several_processes,
    train_and_repair,
)
from unhans.experiment.run import (
    Classifier,
    RunFolder,
    Subject,
    build,
    build_callbacks,
    build_classifier,
    build_data,
    check,
    saved_config,
)
from unhans.experiment.sweep import summarise
from unhans.experiment.train.labels_together import tell_labels_together
from unhans.experiment.train.rashomon import Training
from unhans.experiment.train.training_results import planted_effect, planted_recovery, write_verdicts
from unhans.repair import Method, Outcome
from unhans.report.html import Correction
from unhans.report.loggers import finish
from unhans.report.tables import ranking_table
from unhans.spray import neighbour_count
from unhans.store import file_stem, held, replacing, write_json
from unhans.terminal import CONSOLE, ConfigurationError, quiet_lightning

LOG = logging.getLogger("unhans")
COMPARED: tuple[Method, ...] = ("uncorrected", "p_clarc")
UNCORRECTED = "A correction is judged by accuracy, which images that may show several classes do not have"
SAMPLES = 100  # images with and without the artifact that the concept is fitted on, of each


def train(cfg: DictConfig) -> dict[str, float]:
    """Train, audit and conclude; return the numbers that a sweep may optimise.

    Where a repair, or a set of models with other reasons, is chosen, do that.
    """
    quiet_lightning()
    if cfg.get("repair"):
        return train_and_repair(cfg)
    if cfg.get("rashomon"):
        check(cfg)
        return build(cfg.rashomon)(cfg=cfg, train_one=train_one)
    return train_one(cfg).numbers


def train_one(cfg: DictConfig, further: Sequence[pl.Callback] = ()) -> Training:
    """Train one network, with callbacks besides those of the configuration.

    The logger's run is closed in every case, with a failing exit code after an exception or an interruption.
    """
    began = time.perf_counter()
    check(cfg)
    check_audit(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = build_data(cfg)
    classifier = build_classifier(cfg, data)
    if cfg.ckpt is not None:
        warn_of_differences(cfg)
    callbacks = [*build_callbacks(cfg), *further]
    with RunFolder(cfg, Path(cfg.out)) as folder:
        if rank_zero_only.rank == 0:  # the other processes of this run work in its folder
            folder.begin()
        training = _fit(cfg, callbacks, classifier, data)
    if rank_zero_only.rank == 0:
        CONSOLE.print(f"Done in {time.perf_counter() - began:.0f} s. Everything is in [bold]{cfg.out}[/]")
    return training


def _fit(cfg: DictConfig, callbacks: list[pl.Callback], classifier: Classifier, data: ImageData) -> Training:
    """Fit and conclude, and close the logger's run."""
    logger = build(cfg.logger) or False
    failed = 1
    try:
        trainer = build(cfg.trainer, callbacks=callbacks, logger=logger)
        if trainer.is_global_zero:
            _introduce(cfg, data, classifier, audited=audit_of(trainer) is not None)
        fit(trainer, classifier, data, cfg.ckpt)
        numbers = conclude(trainer, classifier, data, Path(cfg.out), cfg.correct) if trainer.is_global_zero else {}
        summarise(logger or None, numbers)
        failed = 0
        return Training(classifier, data, audit_of(trainer), numbers)
    finally:
        finish([logger] if logger else [], failed)


def check_audit(cfg: DictConfig) -> None:
    """Refuse combinations that no signature can tell."""
    audit = (cfg.callbacks or {}).get("spray_audit")
    samples, neighbours = (audit or {}).get("samples_per_class"), cfg.spray.n_neighbors
    if samples is not None and samples <= neighbour_count(neighbours, samples):
        raise ConfigurationError(
            f"callbacks.spray_audit.samples_per_class={samples} must be larger than spray.n_neighbors={neighbours}."
        )
    sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if sweep and several_processes(cfg.trainer):
        raise ConfigurationError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} cannot be swept with "
            "-m, since each of its processes would run the whole sweep again; start one run per job."
        )


def conclude(
    trainer: pl.Trainer, classifier: Classifier, data: ImageData, out: Path, correct: bool
) -> dict[str, float]:
    """Print the last ranking, whether the audit found what was planted, and the verdicts; write the report.

    The numbers of the training are in results.json before anything that may fail; what fails is told and left out, as
    the network is trained.

    Args:
        trainer: after the run.
        classifier: what it trained.
        data: what it trained on.
        out: the run's folder.
        correct: put a corrected network beside the trained one where an artifact is proven.
    """
    numbers = {key: float(value) for key, value in trainer.callback_metrics.items() if "accuracy/" not in key}
    audit = audit_of(trainer)
    write_json(out / "results.json", numbers)
    ranked = audit if audit is not None and audit.ranking else None
    if ranked is not None:
        CONSOLE.print(ranking_table(ranked.ranking))
    if data.artifact is not None:
        if ranked is not None:
            numbers |= planted_recovery(ranked, data)
        numbers |= _attempted("effect of the planted artifact", audit, partial(planted_effect, classifier, data))
    failures = sum(callback.failures for callback in trainer.callbacks if isinstance(callback, Audit))
    if failures:
        CONSOLE.print(f"[red]{failures} audits failed; see the messages above.[/]")
    write_json(out / "results.json", numbers)
    if ranked is not None:
        numbers |= _verdicts(ranked, classifier, data, out, correct)
        write_json(out / "results.json", numbers)
    return numbers


def _attempted(what: str, audit: SpRAyAudit | None, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """The numbers, or none where that fails and the audit's errors are to be logged."""
    try:
        return measure()
    except Exception:
        if audit is not None and audit.on_error == "raise":
            raise
        LOG.exception("What the run is concluded with failed: the %s.", what)
        CONSOLE.print(f"[red]The {what} could not be made; see the message above. The trained network is kept.[/]")
        return {}


def audit_of(trainer: pl.Trainer) -> SpRAyAudit | None:
    """Return the audit that looks for artifacts, if there is one."""
    return next((callback for callback in trainer.callbacks if isinstance(callback, SpRAyAudit)), None)


def _verdicts(audit: SpRAyAudit, classifier: Classifier, data: ImageData, out: Path, correct: bool) -> dict[str, float]:
    """Write the report and, where wanted, correct the network."""
    one = audit, classifier.model, data, out
    corrections = Corrections(*one)
    after = corrections.correct if correct else lambda case: None
    numbers = _attempted("report", audit, partial(write_verdicts, *one, after))
    return numbers | corrections.numbers


def warn_of_differences(cfg: DictConfig) -> None:
    """Say where a resumed run differs from the one that wrote the checkpoint: it will not end with its weights."""
    before = saved_config(cfg.ckpt)
    groups = ("data", "artifact", "model", "optimizer", "scheduler", "seed")
    plain = OmegaConf.to_container(cfg, resolve=True)
    different = [group for group in groups if before is not None and before.get(group) != plain.get(group)]
    if different:
        CONSOLE.print(f"[yellow]This run differs from that of the checkpoint in: {', '.join(different)}.[/]")


def _introduce(cfg: DictConfig, data: ImageData, classifier: Classifier, audited: bool) -> None:
    """Say in two or three lines what is about to happen."""
    known = data.train_set.labels >= 0
    classes, images, checked = (
        len(np.unique(each)) for each in (data.train_set.labels[known], data.train_set.rows, data.val_set.rows)
    )
    parameters = sum(p.numel() for p in classifier.model.parameters())
    CONSOLE.print(
        f"Training {type(classifier.model).__name__} ({parameters:,} parameters) on {images:,} images of "
        f"{classes} classes for {cfg.trainer.max_epochs} epochs; validating on {checked:,}.\n"
        + (f"What is found is written to [bold]{cfg.out}[/] after every audit." if audited else "No audit is made.")
    )
    if data.several:
        if audited and cfg.correct:
            CONSOLE.print(f"{UNCORRECTED}: what is proven is told, and no corrected network is made (correct=true).")
        tell_labels_together(data.train_set, Path(cfg.out))
    carriers = len(np.unique(data.train_set.rows[data.train_set.carriers]))
    if carriers:
        target = data.classes[data.artifact.target_index(data.classes)]
        kind = type(data.artifact).__name__.lower()
        end = ": will the audit find it?" if audited else "."
        CONSOLE.print(f"A {kind} is planted on {carriers} training images of class {target!r}{end}")


class Corrections:
    """Corrects a copy of a run's network for every artifact that its last audits have proven, and compares the two.

    Attributes:
        numbers: of both networks, such as "p_clarc/effect", of the last class.
    """

    def __init__(self, audit: SpRAyAudit, network: nn.Module, data: ImageData, out: Path) -> None:
        self.audit, self.network, self.data, self.out = audit, network, data, out
        self.numbers: dict[str, float] = {}

    def correct(self, case: Case) -> Correction | None:
        """Write the comparison and the corrected network to `out/corrected/<class>/`; nothing where nothing is proven.

        Returns what the run's report tells of it. What cannot be corrected is said in one sentence.
        """
        if not case.proven:
            return None
        if self.data.several:
            return Correction(error=f"{UNCORRECTED}.")
        CONSOLE.print(f"\n[bold]Class {escape(case.name)}: the network corrected (P-ClArC), beside the trained one[/]")
        try:
            before, after = self._outcomes(case)
        except Exception as error:
            if not isinstance(error, ValueError):  # a ValueError's sentence says all
                if self.audit.on_error == "raise":
                    raise
                LOG.exception("The network could not be corrected.")
            reason = str(error) or type(error).__name__
            CONSOLE.print(f"[red]It could not be corrected:[/] {escape(reason)}")
            return Correction(error=reason)
        numbers = numbers_of([before, after])
        if not self.numbers:  # the first one's also without its class
            self.numbers |= numbers
        self.numbers |= {f"{case.name}/{name}": value for name, value in numbers.items()}
        CONSOLE.print(f"The corrected network is [bold]{escape(str(after.folder / 'model.ckpt'))}[/]")
        page = f"corrected/{file_stem(case.label, case.name)}/report.html"
        return Correction(before.assessment, after.assessment, page)

    def _outcomes(self, case: Case) -> list[Outcome]:
        folder = self.out / "corrected" / file_stem(case.label, case.name)
        subject = Subject(
            network=self.network,
            data=self.data,
            split="train",
            samples_per_class=None,
            attribution=self.audit.attribution,
            batch_size=self.audit.batch_size,
            device=self.audit.device_of(self.network),
            seed=self.audit.seed,
            out=folder,
        )
        known = affected_by_case(subject, case)
        task = RepairTask(subject, known, RepairOptions(samples=SAMPLES), copies_of(self.network))
        with held(folder):
            with replacing(folder / "config.yaml") as part:
                shutil.copyfile(self.out / "config.yaml", part)
            outcomes = [repair_network(task, method, self.audit.seed) for method in COMPARED]
            report_repairs(subject, known, outcomes, None)
        return outcomes
