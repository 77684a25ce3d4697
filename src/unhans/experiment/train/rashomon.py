"""`experiment=rashomon`: train, take the strongest proven reason away, train again, and so on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pydantic import NonNegativeFloat, PositiveInt
from rich.markup import escape

from unhans.attribution import Relevance
from unhans.callbacks import SpRAyAudit
from unhans.comparison import ProvenReason, RashomonRound, judge_round
from unhans.data.sources import ImageData
from unhans.effects import Case, measure
from unhans.experiment.repair import several_processes
from unhans.experiment.run import Classifier, RunFolder, build_data
from unhans.experiment.train.removal_routes import Route, TakenReason, callbacks_of, taken_from
from unhans.harness import bench_of
from unhans.report.tables.models import STOPPED, rashomon_rows, rashomon_table
from unhans.store import differences, replacing, write_csv, write_json
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


REMOVED: dict[Route, str] = {
    "paste": "what was proven of {names} is pasted on the training images of all classes.",
    "blur": "the place of what was proven of {names} is blurred on the training images of all classes.",
    "a_clarc": "the model before is fine-tuned with what was proven of {names} in the features of all training images.",
}
TrainOne = Callable[[DictConfig, Sequence[pl.Callback]], Training]


def collect_models(
    cfg: DictConfig,
    train_one: TrainOne,
    rounds: PositiveInt = 3,
    tolerance: NonNegativeFloat = 0.02,
    route: Route = "paste",
) -> dict[str, float]:
    """Train models that are equally accurate for other reasons; return their number and the last one's accuracy.

    After each training the audit proves what the network uses. The artifact that does most is then taken away, as are
    those found before it, and the next network is trained. The models are in `out/models/0`, `1` and so on, each a run
    of its own; a last one that is less accurate than the tolerance allows is moved to `out/less_accurate`, as it is not
    of the set. The same command goes on after an interruption: a finished model is not trained again.

    Args:
        cfg: of one training with an audit that verifies.
        train_one: trains by a configuration, with further callbacks.
        rounds: reasons that are taken away, at most.
        tolerance: accuracy on the validation images that a model may lack beside the first one; see
            `unhans.comparison.equally_accurate`.
        route: "paste" lays the artifact over the training images of all classes, so that it says nothing about any;
            "blur" blurs its place on all of them; in both the next network is trained from the same start. "a_clarc"
            fine-tunes the network with the artifact in the features of all training images.

    Raises:
        ConfigurationError: there is no such audit, a checkpoint is given, several processes would train, images may
            show several classes, or the folder holds models of another configuration.
    """
    out = Path(cfg.out)
    _check(cfg, out)
    found: list[RashomonRound] = []
    taken: list[TakenReason] = []
    first: FinishedModel | None = None
    with RunFolder(cfg, out) as folder:
        folder.begin()
        while not found or found[-1].stop is None:
            number = len(found)
            one = FinishedModel.read(out, number) or _trained(cfg, train_one, out, number, route, taken)
            first = first or one
            name = None if one.taken is None else one.taken.artifact.name
            found.append(
                judge_round(first.predicted, one.predicted, one.labels, one.proven, number, rounds, tolerance, name)
            )
            taken += [one.taken] if found[-1].stop is None else []
            write_csv(out / "rounds.csv", *rashomon_rows(found))
    return _concluded(found, out)


def _concluded(found: Sequence[RashomonRound], out: Path) -> dict[str, float]:
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


@dataclass(frozen=True)
class FinishedModel:
    """A trained network of the set, as the next rounds need it.

    Attributes:
        predicted, labels: (n,) of the validation images that can be read.
        proven: what the network is proven to use.
        taken: the strongest of it that can be taken away; None where none can.
    """

    predicted: NDArray[np.int64]
    labels: NDArray[np.int64]
    proven: Sequence[ProvenReason]
    taken: TakenReason | None

    @classmethod
    def read(cls, out: Path, number: int) -> FinishedModel | None:
        """Return a model that an earlier run of the same command has finished; None where there is none."""
        path = _file(out, number)
        if not path.is_file():
            return None
        CONSOLE.print(f"\n[bold]Model {number}[/] was finished before.", highlight=False)
        stored = torch.load(path, weights_only=False)
        proven = [ProvenReason(name, value, tuple(interval)) for name, value, interval in stored["proven"]]
        taken = None if stored["taken"] is None else TakenReason.from_state(stored["taken"])
        return cls(stored["predicted"].numpy(), stored["labels"].numpy(), proven, taken)

    def write(self, out: Path, number: int) -> None:
        """Write it whole or not at all."""
        arrays = {name: torch.from_numpy(getattr(self, name)) for name in ("predicted", "labels")}
        path = _file(out, number)
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as part:
            taken = None if self.taken is None else self.taken.state()
            torch.save({**arrays, "proven": [tuple(one) for one in self.proven], "taken": taken}, part)


def _file(out: Path, number: int) -> Path:
    return out / "rounds" / f"{number}.pt"


def _trained(
    cfg: DictConfig, train_one: TrainOne, out: Path, number: int, route: Route, taken: Sequence[TakenReason]
) -> FinishedModel:
    """Train one more model; what an interrupted training of it left is removed."""
    CONSOLE.print(f"\n[bold]Model {number}[/]: {_removed(route, taken)}", highlight=False)
    folder = out / "models" / str(number)
    if folder.exists():
        shutil.rmtree(folder)
    part = OmegaConf.merge(cfg, {"out": str(folder), "rashomon": None})
    previous = out / "models" / str(number - 1) / "checkpoints" / "last.ckpt"
    training = train_one(part, callbacks_of(route, taken, cfg.seed, previous))
    proven = _proven(training.audit)
    found = FinishedModel(
        *_predictions(training), [_reason(case) for case in proven], _strongest(training, proven, route, taken)
    )
    found.write(out, number)
    return found


def _strongest(
    training: Training, proven: Sequence[Case], route: Route, before: Sequence[TakenReason]
) -> TakenReason | None:
    """The artifact that does most of those that can be taken away; what cannot be is said."""
    for case in sorted(proven, key=lambda case: -_reason(case).probability):
        assert training.audit is not None
        try:
            return taken_from(case, training.audit, training.classifier.model, route, before)
        except ValueError as error:
            CONSOLE.print(f"[yellow]The artifact of class {escape(case.name)} stays: {escape(str(error))}[/]")
    return None


def _move_out(out: Path, number: int) -> None:
    """Move the model that is no longer as accurate as the first out of the folder of the set."""
    (out / "less_accurate").mkdir(exist_ok=True)
    if (out / "models" / str(number)).exists():  # a finished set is told again
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
        _check_same(cfg, out)
    if build_data(cfg).several:
        raise ConfigurationError(
            "experiment=rashomon needs images of one class each, as its models are compared by accuracy, but images of "
            "these data may show several classes."
        )


def _check_same(cfg: DictConfig, out: Path) -> None:
    """Refuse a folder with models of another configuration; only the number of rounds may change."""
    path = out / "config.yaml"
    before = OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else {}
    changes = differences(*(_decisive(each) for each in (before, OmegaConf.to_container(cfg, resolve=True))))
    if changes:
        raise ConfigurationError(
            f"out={out} holds models of an earlier run with another configuration ({changes[0]}); give another folder."
        )


def _decisive(cfg: Any) -> dict[str, Any]:
    """What decides the models of a set."""
    rashomon = {key: value for key, value in (cfg.get("rashomon") or {}).items() if key != "rounds"}
    return {key: value for key, value in cfg.items() if key not in ("out", "logger")} | {"rashomon": rashomon}


def _removed(route: Route, taken: Sequence[TakenReason]) -> str:
    """Say what becomes of what was proven before."""
    if not taken:
        return "the data as they are."
    names = ", ".join(repr(each.artifact.name) for each in taken)
    return escape(REMOVED[route].format(names=names))


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
