"""Repairing a network that is right for the wrong reasons, by several methods and with several seeds, compared."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import Placement, check_part
from unhans.clarc import Estimator, Spatial
from unhans.data.sources import ImageData
from unhans.experiment.repair.concept_fit import Concepts
from unhans.experiment.repair.fine_tuning import FineTuning, fine_tuning_of
from unhans.experiment.repair.repair_methods import finished_repair, repair_network
from unhans.experiment.repair.repair_task import AUTO, RepairOptions, RepairTask, check_methods, check_seeds, only_class
from unhans.experiment.repair.repaired_artifact import affected_of
from unhans.experiment.repair.stored_networks import Start, TrainedStart, copies_of, new_networks
from unhans.experiment.run import RunFolder, Subject, build, build_data, build_network, check, with_run
from unhans.experiment.sweep import summarise
from unhans.repair import (
    CORRECTING,
    METHODS,
    NUMBERS,
    POST_HOC,
    ConceptSource,
    KnownArtifact,
    Method,
    Outcome,
    by_method,
    table_two_of,
)
from unhans.report.figures import Pair, evolution_pair_figure, relevance_figure, repair_figure, trade_off_figure
from unhans.report.files import evolution_pairs, load_evolution
from unhans.report.html import write_repair_report
from unhans.report.loggers import Pictures, log_once
from unhans.report.tables import repair_scalars, repair_table, repair_tables, table_two
from unhans.report.text import (
    METHOD_NAMES,
    Named,
    artifact_name,
    artifact_of_class,
    known_artifact_sentence,
    outcome_line,
)
from unhans.store import sweep, write_csv, write_figure, write_json
from unhans.terminal import CONSOLE, ConfigurationError

OF_THE_RUN = ("data", "artifact", "model", "optimizer")  # the schedule fits this command's trainer
TITLE = "Un-Hans: repairs compared"
FILES = {"methods": "repair.csv", "runs": "repair_runs.csv", "table_two": "repair_table_two.csv"}


def repair(
    subject: Subject,
    tuning: FineTuning,
    start: Start | None = None,
    methods: Sequence[str] = METHODS,
    seeds: Sequence[int] = (0, 1, 2),
    artifact: str | None = None,
    classes: Sequence[str] | None = None,
    placement: Placement = "top_left",
    size: float | None = None,
    layer: str = AUTO,
    estimator: Estimator = "pattern",
    spatial: Spatial = "positions",
    concept: ConceptSource | None = None,
    samples: int = 200,
    strength: float = 1.0,
    weight: float = 1.0,
    images: int | None = None,
    keep: Sequence[int] | None = None,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Repair the network by every method and seed, assess every result, and compare them.

    What is finished in the subject's folder is not done again; a run that was killed goes on.

    Args:
        subject: the network and its data.
        tuning: how networks are trained.
        start: gives the network that a seed begins with; None is the subject's for every seed.
        methods: names of `unhans.repair.METHODS`.
        seeds: of the order of samples, dropout, a new head, and the samples of concepts.
        artifact: a picture, or the folder of analysis=effect (or a case in it); None is the planted artifact.
        classes: the name of the one class that the artifact belongs to, which a picture needs.
        placement, size: where a picture goes, and its share of the image; None keeps its own pixels.
        layer, estimator, spatial, concept, samples, strength, weight, images, keep: see `RepairOptions`.
        logger: gets the numbers, tables and figures, once.

    Returns:
        The means over seeds that a sweep may optimise, such as "p_clarc/effect".

    Raises:
        ValueError: for what cannot be repaired, before any long work.
    """
    chosen, each = check_methods(methods), check_seeds(seeds)
    kept = None if keep is None else tuple(keep)
    options = RepairOptions(layer, estimator, spatial, concept, samples, strength, weight, images, kept)
    with subject.closing(logger):
        known = affected_of(subject, artifact, only_class(classes), placement=placement, size=size)
        task = RepairTask(subject, known, options, start or copies_of(subject.network), tuning)
        check_repair(task, chosen)
        CONSOLE.print(escape(known_artifact_sentence(known)))
        subject.begin()
        sweep(subject.out)
        outcomes = _outcomes(task, chosen, each)
        report_repairs(subject, known, outcomes, logger)
    return numbers_of(outcomes)


def _outcomes(task: RepairTask, methods: Sequence[Method], seeds: Sequence[int]) -> list[Outcome]:
    """Do what is left, seed after seed: a comparison is whole as early as it can be."""
    earlier = {(seed, method): finished_repair(task, method, seed) for seed in seeds for method in methods}
    found = [outcome for outcome in earlier.values() if outcome is not None]
    todo = [(method, seed) for (seed, method), outcome in earlier.items() if outcome is None]
    if found:
        CONSOLE.print(f"{len(found)} of {len(found) + len(todo)} repairs were finished before.")
    for number, (method, seed) in enumerate(todo, 1):
        CONSOLE.print(f"{number} of {len(todo)}: {METHOD_NAMES[method]}, seed {seed}")
        outcome = repair_network(task, method, seed)
        CONSOLE.print(f"[dim]   {escape(outcome_line(outcome))}[/]")
        found.append(outcome)
    return sorted(found, key=lambda one: (methods.index(one.method), one.seed))


def check_repair(task: RepairTask, methods: Sequence[Method]) -> None:
    """Refuse what one of the methods could not do."""
    if set(methods) & set(CORRECTING):
        Concepts(task).check()
    if "right_reasons" not in methods:
        return
    check_part(task.known.artifact, "right_reasons")
    if not task.known.carriers["train"].any():
        raise ConfigurationError(
            "right_reasons needs training images that are known to carry the artifact, got none; leave it out of "
            "methods, or give the folder of analysis=effect as artifact=…."
        )
    if task.subject.data.flip:
        raise ConfigurationError(
            "right_reasons knows where the artifact lies on images as they are, but data.flip=true mirrors them; give "
            "data.flip=false or leave it out of methods."
        )


def train_and_repair(cfg: DictConfig) -> dict[str, float]:
    """Repair the network of a checkpoint or, without one, a network that starts from the model's own weights.

    Fine-tuning starts from pretrained weights as they are. Where the weights are random, or a method corrects without
    training, the network is first trained on the data as they are, in `out/start`.
    """
    began = time.perf_counter()
    cfg = with_run(cfg, OF_THE_RUN)
    check(cfg)
    run, tuning, device = build(cfg.repair), fine_tuning_of(cfg), device_of(cfg.trainer.accelerator)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data, out = build_data(cfg), Path(cfg.out)
    if data.several:
        raise ConfigurationError(
            "repair needs images of one class each, as repairs are compared by accuracy, but images of these data may "
            "show several classes."
        )
    start = _start(cfg, data, tuning, device)
    with RunFolder(cfg, out) as folder:
        subject = Subject(
            network=build_network(cfg, data).to(device).eval(),
            data=data,
            split="train",
            samples_per_class=None,
            attribution=build(cfg.attribution),
            batch_size=data.batch_size,
            device=device,
            seed=cfg.seed,
            out=out,
            begin=folder.begin,
        )
        numbers = run(subject=subject, tuning=tuning, start=start)
    CONSOLE.print(f"Done in {time.perf_counter() - began:.0f} s. Everything is in [bold]{out}[/]")
    return numbers


def device_of(accelerator: str) -> torch.device:
    """Return the device that Lightning's accelerator of that name trains on."""
    wanted = accelerator not in ("cpu", "tpu", "mps") and torch.cuda.is_available()
    return torch.device("cuda" if wanted else accelerator if accelerator == "mps" else "cpu")


def _start(cfg: DictConfig, data: ImageData, tuning: FineTuning, device: torch.device) -> Start:
    """The network that repairs begin with."""
    if cfg.ckpt is not None:
        return copies_of(build_network(cfg, data).to(device))
    new = new_networks(partial(build_network, cfg, data), device)
    if cfg.model.get("weights") is not None and not set(cfg.repair.methods) & set(POST_HOC):
        return new
    return TrainedStart(new, data, tuning, cfg.seed, Path(cfg.out))


def log_repairs(
    loggers: Sequence[Logger], outcomes: Sequence[Outcome], figures: Mapping[str, Pictures] | None = None
) -> None:
    """Send the comparison of repairs to every logger at once: means over seeds, tables, and figures by key.

    Scalars are `repair/<method>/<number>`; tables `repair/<name>`, see `repair_tables`.

    Raises:
        ValueError: there is no outcome.
    """
    tables = {f"repair/{name}": table for name, table in repair_tables(outcomes).items()}
    log_once(loggers, repair_scalars(outcomes), figures, tables)


def numbers_of(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the means over seeds that a sweep may optimise, such as "augmented/added" and "p_clarc/effect"."""
    numbers = {}
    for method, runs in by_method(outcomes).items():
        for name, number in NUMBERS.items():
            found = [number(one.assessment) for one in runs]
            if None not in found:
                numbers[f"{method}/{name}"] = fmean(one.value for one in found)
        numbers[f"{method}/seconds"] = fmean(one.seconds for one in runs)
    return numbers


def report_repairs(subject: Subject, known: KnownArtifact, outcomes: Sequence[Outcome], logger: Logger | None) -> None:
    """Print the tables; write them, the figures, results.json and report.html; log all of it once."""
    named = Named(artifact_name(known), repr(known.class_name))
    subtitle = _subtitle(subject, known)
    compared = table_two_of(outcomes)
    if compared is not None:
        CONSOLE.print(table_two(compared), soft_wrap=False)
    CONSOLE.print(repair_table(outcomes, named), soft_wrap=False)
    for name, table in repair_tables(outcomes).items():
        write_csv(subject.out / FILES[name], *table)
    write_json(subject.out / "results.json", numbers_of(outcomes))
    pairs = _pairs(outcomes)
    figures = _write_figures(subject.out, outcomes, subtitle.split("; ")[0], pairs)  # a figure has room for no more
    tables = {path.name: path for path in sorted(subject.out.glob("repair*.csv"))}
    write_repair_report(
        subject.out / "report.html", outcomes, TITLE, subtitle, named=named, pairs=pairs, downloads=tables
    )
    if logger:
        log_repairs([logger], outcomes, figures)
        summarise(logger, numbers_of(outcomes))


def _subtitle(subject: Subject, known: KnownArtifact) -> str:
    data = subject.data
    return (
        f"{artifact_of_class(known)}; {type(subject.network).__name__}, "
        f"{len(data.train_set):,} training and {len(data.val_set):,} validation images of {data.num_classes} classes; "
        f"heatmaps: {subject.attribution.description}"
    )


def _write_figures(out: Path, outcomes: Sequence[Outcome], subtitle: str, pairs: Sequence[Pair]) -> dict[str, Path]:
    """Write the figures that there is something for; return them by the key under which they are logged."""
    drawn = {"methods": repair_figure(outcomes, subtitle), "trade_off": trade_off_figure(outcomes, subtitle)}
    if any(point.relevance is not None for one in outcomes for point in one.curve):
        drawn["relevance"] = relevance_figure(outcomes, subtitle)
    if pairs:
        drawn["evolution"] = evolution_pair_figure(pairs, "Heatmaps while both networks are fine-tuned")
    for name, figure in drawn.items():
        write_figure(out / "figures" / f"{name}.png", figure)
    return {f"repair/figures/{name}": out / "figures" / f"{name}.png" for name in drawn}


def _pairs(outcomes: Sequence[Outcome]) -> list[Pair]:
    """Fixed samples under networks A and B of the first seed that both have."""
    files = {(one.method, one.seed): one.folder / "evolution.npz" for one in outcomes}
    for (method, seed), path in files.items():
        other = files.get(("augmented", seed))
        if method == "unaltered" and other is not None and path.is_file() and other.is_file():
            return evolution_pairs(load_evolution(path), load_evolution(other))
    return []
