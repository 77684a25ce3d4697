"""One training run, audited, concluded and closed in every case."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from unhans.callbacks import Audit, SpRAyAudit
from unhans.data import ImageData
from unhans.experiment.repair import fit, several_processes, train_and_repair
from unhans.experiment.run import (
    CONSOLE,
    ConfigurationError,
    build,
    build_callbacks,
    build_classifier,
    build_data,
    check,
    quiet_lightning,
    saved_config,
)
from unhans.experiment.sweep import summarise
from unhans.experiment.train.planted_checks import planted_effect, planted_recovery
from unhans.experiment.train.post_hoc_correction import Corrections
from unhans.experiment.train.training_results import write_verdicts
from unhans.models import Classifier, load_weights
from unhans.report.loggers import finish
from unhans.report.tables import ranking_table
from unhans.store import replacing

LOG = logging.getLogger("unhans")


def train(cfg: DictConfig) -> dict[str, float]:
    """Train, audit and conclude; return the numbers that a sweep may optimise. Where a repair is chosen, do that.

    The logger's run is closed in every case, with a failing exit code after an exception or an interruption.
    """
    quiet_lightning()
    if cfg.get("repair"):
        return train_and_repair(cfg)
    began = time.perf_counter()
    check(cfg)
    check_audit(cfg)
    out = _prepare(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = build_data(cfg)
    classifier = build_classifier(cfg, data)
    if cfg.ckpt is not None:
        load_weights(classifier, cfg.ckpt)  # a checkpoint that does not fit is refused in one sentence
        warn_of_differences(cfg)
    callbacks = build_callbacks(cfg)
    logger = build(cfg.logger) or False
    failed = 1
    try:
        trainer = build(cfg.trainer, callbacks=callbacks, logger=logger)
        if trainer.is_global_zero:
            _introduce(cfg, data, classifier)
        fit(trainer, classifier, data, cfg.ckpt)
        numbers = conclude(trainer, classifier, data, out, cfg.correct) if trainer.is_global_zero else {}
        summarise(logger or None, numbers)
        failed = 0
        if trainer.is_global_zero:
            CONSOLE.print(f"Done in {time.perf_counter() - began:.0f} s. Everything is in [bold]{out}[/]")
        return numbers
    finally:
        finish([logger] if logger else [], failed)


def check_audit(cfg: DictConfig) -> None:
    """Refuse combinations that no signature can tell."""
    audit = (cfg.callbacks or {}).get("spray_audit")
    samples, neighbours = (audit or {}).get("samples_per_class"), cfg.spray.n_neighbors
    if samples is not None and samples <= neighbours:
        raise ConfigurationError(
            f"callbacks.spray_audit.samples_per_class={samples} must be larger than spray.n_neighbors={neighbours}."
        )
    sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if sweep and several_processes(cfg.trainer):
        raise ConfigurationError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} cannot be swept with "
            "-m, since each of its processes would run the whole sweep again; start one run per job."
        )
    if cfg.ckpt is not None and not Path(cfg.ckpt).is_file():
        raise ConfigurationError(f"ckpt expects a checkpoint file, but {cfg.ckpt} does not exist.")


def conclude(
    trainer: pl.Trainer, classifier: Classifier, data: ImageData, out: Path, correct: bool
) -> dict[str, float]:
    """Print the last ranking, whether the audit found what was planted, and the verdicts; write the report.

    correct: put a corrected network beside the trained one where an artifact is proven.
    """
    numbers = {key: float(value) for key, value in trainer.callback_metrics.items() if "accuracy/" not in key}
    audit = next((callback for callback in trainer.callbacks if isinstance(callback, SpRAyAudit)), None)
    if audit is not None and audit.ranking:
        CONSOLE.print(ranking_table(audit.ranking))
    if data.artifact is not None:
        if audit is not None and audit.ranking:
            numbers |= planted_recovery(audit, data, CONSOLE)
        numbers |= planted_effect(classifier, data, CONSOLE)
    failures = sum(callback.failures for callback in trainer.callbacks if isinstance(callback, Audit))
    if failures:
        CONSOLE.print(f"[red]{failures} audits failed; see the messages above.[/]")
    _write_numbers(out, numbers)  # before what may fail
    if audit is not None and audit.ranking:
        numbers |= _verdicts(audit, classifier, data, out, correct)
        _write_numbers(out, numbers)
    return numbers


def _verdicts(audit: SpRAyAudit, classifier: Classifier, data: ImageData, out: Path, correct: bool) -> dict[str, float]:
    """Write the report and, where wanted, correct the network; what fails is told, as the network is trained."""
    one = audit, classifier.model, data, out, CONSOLE
    corrections = Corrections(*one)
    try:
        numbers = write_verdicts(*one, corrections.correct) if correct else write_verdicts(*one)
    except Exception:
        if audit.on_error == "raise":
            raise
        LOG.exception("The report of the verdicts, or the corrected network, could not be made.")
        CONSOLE.print("[red]The report could not be made; see the message above. The trained network is kept.[/]")
        numbers = {}
    return numbers | corrections.numbers


def _write_numbers(out: Path, numbers: dict[str, float]) -> None:
    with replacing(out / "results.json") as part:
        part.write_text(json.dumps(numbers, indent=2))


def warn_of_differences(cfg: DictConfig) -> None:
    """Say where a resumed run differs from the one that wrote the checkpoint: it will not end with its weights."""
    before = saved_config(cfg.ckpt)
    groups = ("data", "artifact", "model", "optimizer", "scheduler", "seed")
    plain = OmegaConf.to_container(cfg, resolve=True)
    different = [group for group in groups if before is not None and before.get(group) != plain.get(group)]
    if different:
        CONSOLE.print(f"[yellow]This run differs from that of the checkpoint in: {', '.join(different)}.[/]")


def _prepare(cfg: DictConfig) -> Path:
    """Make the run's folder and write the configuration there; analyze.py finds it beside the checkpoints."""
    out = Path(cfg.out)
    with replacing(out / "config.yaml") as part:
        part.write_text(OmegaConf.to_yaml(cfg, resolve=True))
    return out


def _introduce(cfg: DictConfig, data: ImageData, classifier: Classifier) -> None:
    """Say in two lines what is about to happen."""
    classes = len(np.unique(data.train_set.labels))
    parameters = sum(p.numel() for p in classifier.model.parameters())
    CONSOLE.print(
        f"Training {type(classifier.model).__name__} ({parameters:,} parameters) on {len(data.train_set):,} images of "
        f"{classes} classes for {cfg.trainer.max_epochs} epochs; validating on {len(data.val_set):,}."
    )
    carriers = int(data.train_set.carriers.sum())
    if carriers:
        target = data.classes[data.artifact.target_index(data.classes)]
        kind = type(data.artifact).__name__.lower()
        CONSOLE.print(f"A {kind} is planted on {carriers} training images of class {target!r}: will the audit find it?")
