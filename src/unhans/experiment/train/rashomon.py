"""`experiment=rashomon`: train, take the strongest proven reason away, train again from the same start, and so on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pydantic import NonNegativeFloat, PositiveInt
from rich.markup import escape

from unhans.attribution import Relevance
from unhans.callbacks import ArtifactAugmentation, SpRAyAudit
from unhans.comparison import ProvenReason, RashomonRound, judge_round
from unhans.data.sources import ImageData
from unhans.effects import Case, measure
from unhans.experiment.repair import several_processes
from unhans.experiment.run import Classifier, RunFolder
from unhans.harness import bench_of
from unhans.repair import ProvenArtifact
from unhans.report.tables.models import STOPPED, rashomon_rows, rashomon_table
from unhans.store import write_csv, write_json
from unhans.terminal import CONSOLE, ConfigurationError


@dataclass(frozen=True)
class Training:
    """A finished training.

    Attributes:
        classifier: with the trained network.
        data: that it was trained on.
        audit: of the network; None where the configuration has none.
        numbers: that the training gave.
    """

    classifier: Classifier
    data: ImageData
    audit: SpRAyAudit | None
    numbers: dict[str, float]


TrainOne = Callable[[DictConfig, Sequence[pl.Callback]], Training]


def collect_models(
    cfg: DictConfig, train_one: TrainOne, rounds: PositiveInt = 3, tolerance: NonNegativeFloat = 0.02
) -> dict[str, float]:
    """Train models that are equally accurate for other reasons; return their number and the last one's accuracy.

    After each training the audit proves what the network uses. The artifact that does most is then pasted on the
    training images of all classes, so that it says nothing about any, as are those found before it, and the next
    network is trained from the same start. The models are in `out/models/0`, `1` and so on, each a run of its own; a
    last one that is less accurate than the tolerance allows is moved to `out/less_accurate`, as it is not of the set.

    Args:
        cfg: of one training with an audit that verifies.
        train_one: trains by a configuration, with further callbacks.
        rounds: reasons that are taken away, at most.
        tolerance: accuracy on the validation images that a model may lack beside the first one; see
            `unhans.comparison.equally_accurate`.

    Raises:
        ConfigurationError: there is no such audit, a checkpoint is given, several processes would train, or the
            folder holds models of an earlier run.
    """
    out = Path(cfg.out)
    _check(cfg, out)
    found: list[RashomonRound] = []
    taken: list[ProvenArtifact] = []
    first: NDArray[np.int64] | None = None
    with RunFolder(cfg, out) as folder:
        folder.begin()
        while not found or found[-1].stop is None:
            number = len(found)
            CONSOLE.print(f"\n[bold]Model {number}[/]: {_pasted(taken)}", highlight=False)
            part = OmegaConf.merge(cfg, {"out": str(out / "models" / str(number)), "rashomon": None})
            training = train_one(part, [_augmentation(taken, cfg.seed)] if taken else [])
            predicted, labels = _predictions(training)
            first = predicted if first is None else first
            proven = _proven(training.audit)
            reasons = [_reason(case) for case in proven]
            found.append(judge_round(first, predicted, labels, reasons, number, rounds, tolerance))
            if found[-1].stop is None:
                taken.append(_artifact(max(proven, key=lambda case: _reason(case).probability), training))
            write_csv(out / "rounds.csv", *rashomon_rows(found))
    CONSOLE.print(rashomon_table(found))
    CONSOLE.print(STOPPED[found[-1].stop or "rounds done"])
    within = sum(one.within for one in found)
    if within < len(found):
        _move_out(out, len(found) - 1)
    if within > 1:
        CONSOLE.print(f"Compare them: analyze.py analysis=compare ckpts={escape(str(out / 'models'))}", highlight=False)
    numbers = {"models": float(within), "accuracy": found[-1].accuracy.share}
    write_json(out / "results.json", numbers)
    return numbers


def _move_out(out: Path, number: int) -> None:
    """Move the model that is no longer as accurate as the first out of the folder of the set."""
    (out / "less_accurate").mkdir()
    (out / "models" / str(number)).rename(out / "less_accurate" / str(number))
    place = escape(str(out / "less_accurate" / str(number)))
    CONSOLE.print(f"Model {number} is not of the set; it is in [bold]{place}[/].", highlight=False)


def _check(cfg: DictConfig, out: Path) -> None:
    audit = (cfg.callbacks or {}).get("spray_audit") or {}
    if not audit.get("verify") or audit.get("act", "none") != "none":
        raise ConfigurationError(
            "experiment=rashomon needs an audit that proves and does not act; give callbacks=audit with "
            "callbacks.spray_audit.verify=true."
        )
    if cfg.ckpt is not None:
        raise ConfigurationError(f"experiment=rashomon trains every model from its start; leave ckpt={cfg.ckpt} out.")
    if several_processes(cfg.trainer):
        raise ConfigurationError(
            "experiment=rashomon trains one model after the other on one device; give trainer.devices=1."
        )
    if (out / "models").exists():
        raise ConfigurationError(f"out={out} holds models of an earlier run; give another folder.")


def _pasted(taken: Sequence[ProvenArtifact]) -> str:
    """Say what is on all training images."""
    if not taken:
        return "the data as they are."
    names = ", ".join(repr(each.name) for each in taken)
    return escape(f"what was proven of {names} is pasted on the training images of all classes.")


def _augmentation(taken: Sequence[ProvenArtifact], seed: int) -> ArtifactAugmentation:
    """What pastes all artifacts; samples that carry one already are left out where they are known."""
    callback = ArtifactAugmentation(seed=seed)
    for each in taken:
        callback.add(each.isolated, spared=each.affected)
    return callback


def _predictions(training: Training) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The predicted class and the label of every validation image that can be read."""
    images, classifier = training.data.val_set, training.classifier
    bench = bench_of(classifier.model, images, Relevance(), device=classifier.device)
    found = measure(bench, np.arange(len(images)), {})
    return found.before.argmax(1), images.labels[found.indices]


def _proven(audit: SpRAyAudit | None) -> list[Case]:
    """The cases of the last audit that are proven, and whose artifact can be pasted."""
    return [] if audit is None else [case for case in audit.tested if case.proven and case.isolated is not None]


def _reason(case: Case) -> ProvenReason:
    assert case.proof is not None
    effect = case.proof.added[0].effect
    return ProvenReason(case.name, effect.probability, effect.probability_interval)


def _artifact(case: Case, training: Training) -> ProvenArtifact:
    """The artifact of a case, and who carries it."""
    audit = training.audit
    assert audit is not None
    index = audit.samples_of(case.label)
    index = index[~audit.dataset.unreadable.numpy()[index]]
    found = ProvenArtifact.from_case(case, index, 0)
    if audit.source != "train":
        found.affected = found.affected[:0]  # they are no training images
    return found
