"""The analysis `compare`: several trained models on the same images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.attribution import ExtremalPerturbation
from unhans.comparison import ModelComparison
from unhans.data import ImageDataset, TrainValUnion, display_images, native_size, read_samples
from unhans.experiment.compare.compared_artifacts import DifferenceArtifacts, isolated_before
from unhans.experiment.compare.compared_model import ComparedModel, Viewing
from unhans.experiment.compare.comparison_files import ComparisonFiles, write_comparison
from unhans.experiment.compare.comparison_run import compare_views, planted_artifact, sample_set
from unhans.experiment.compare.difference_groups import groups_table
from unhans.experiment.compare.model_loading import renamed
from unhans.experiment.run import Subject
from unhans.report import progress
from unhans.report.loggers import log_once
from unhans.report.tables.models import (
    comparison_scalars,
    comparison_tables,
    effects_table,
    kinds_table,
    models_table,
    pairs_table,
)
from unhans.report.text.models import comparison_sentences, furthest_group_sentence, silent_group_sentence
from unhans.spray import SpRAy
from unhans.store import write_csv
from unhans.terminal import CONSOLE, ConfigurationError

EXAMPLES = 6  # images of a class


def compare_models(
    subject: Subject,
    models: Sequence[ComparedModel],
    spray: SpRAy,
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    twins: Sequence[Sequence[str]] | None = None,
    masks: NonNegativeInt = 0,
    mask: ExtremalPerturbation | None = None,
    queries: NonNegativeInt = 0,
    training: PositiveInt | None = 200,
    artifacts: Sequence[str] = (),
    isolate: NonNegativeInt = 0,
    effect_samples: NonNegativeInt = 200,
    tolerance: NonNegativeFloat = 0.0,
    examples: PositiveInt = EXAMPLES,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Compare models on the same images: predictions, heatmaps, masks and the effect of the same artifact.

    Prints the models, every pair of them and which to take; writes tables, figures and report.html. What was measured
    of a model is kept in the folder and taken again where nothing that it depends on has changed.

    Args:
        subject: the first model and its data; its images are those that all models see.
        models: at least two, each with the same images as its own network takes them.
        spray: how heatmaps and their differences are clustered.
        names: of the models, in their order; None: the folders of their runs.
        classes: names of the classes to look at; None is all that every model has.
        twins: groups of names of models that differ in the seed only; None: found by the settings of their runs.
        masks: images of each class for which every model gets a mask as well; 0 makes none, which is much faster.
        mask: how masks are made.
        queries: images of each class for which every model ranks the training images by the cosine of gradients; 0
            ranks none, which is much faster.
        training: training images of each class that are ranked, at most.
        artifacts: folders of analysis=effect, or JSON files of cases in them: what was isolated there is pasted in
            every model, besides the planted one.
        isolate: groups of difference maps, the furthest first, from which an artifact is isolated and pasted in every
            model; 0: none.
        effect_samples: images of other classes on which each artifact is pasted, at most; 0 measures no effect.
        tolerance: accuracy that a recommended model may lack.
        examples: images with the largest disagreement that are drawn of each class.
        logger: gets the numbers, tables and pictures.

    Raises:
        ValueError: fewer than two models, no class or no image in common, or models that cannot be explained.
    """
    models = renamed(models, names)
    counts = {"masked": masks, "queries": queries, "training": training, "seed": subject.seed}
    samples, left_out = sample_set(models, classes, subject.samples_per_class, **counts)
    _check_effects(effect_samples, {"artifacts": artifacts, "isolate": isolate})
    given = planted_artifact(models[0]) | isolated_before(artifacts, samples)
    how = Viewing(
        subject.attribution, mask or ExtremalPerturbation(), subject.device, subject.batch_size, subject.seed,
        (subject.out / "models").absolute(), spray=spray,
    )  # fmt: skip
    began = time.perf_counter()
    further = DifferenceArtifacts(spray, subject.split, isolate, effect_samples, subject.out / "isolated")
    with subject.closing(logger):
        subject.begin()
        with progress(len(models) * samples.work) as say:
            options = {"twins": twins, "artifacts": given, "isolate": further.artifacts if isolate else None}
            options |= {"effect_samples": effect_samples, "tolerance": tolerance}
            found, again = compare_views(models, samples, left_out, how.saying(say), **options)
        _tell(found, again, time.perf_counter() - began)
        _tell_groups(found, further, models, subject)
        files = write_comparison(
            found, _describe(subject), subject.out, spray, partial(displayed, models[0]), further.groups(found),
            examples, further.pictures, formats_of(models[0].dataset, found.index),
        )  # fmt: skip
        if logger:
            _log(logger, found, files)
    return {
        "models": float(len(models)),
        "agreement": float(np.mean([one.agreement for one in found.predictions.values()])),
    }


def displayed(model: ComparedModel, index: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return images of a model's data set (n, 3, H, W) in [0, 1]."""
    return display_images(model.dataset, read_samples(model.dataset, index)[0]).numpy()


def formats_of(dataset: object, index: NDArray[np.int64]) -> NDArray[np.str_] | None:
    """Return whether images (n,) are "landscape", "portrait" or "square" as files; None where that is not known."""
    if not isinstance(dataset, ImageDataset | TrainValUnion):
        return None
    sizes = (native_size(dataset, int(i)) for i in index)
    return np.array(["square" if h == w else "landscape" if w > h else "portrait" for h, w in sizes])


def _describe(subject: Subject) -> str:
    return f"{subject.split} images · {subject.attribution.description}"


def _tell(found: ModelComparison, again: Sequence[str], seconds: float) -> None:
    for reason in again:
        CONSOLE.print(escape(f"Measured again: {reason}."))
    CONSOLE.print(models_table(found))
    CONSOLE.print(pairs_table(found))
    if found.kinds:
        CONSOLE.print(kinds_table(found))
    if found.effects:
        CONSOLE.print(effects_table(found))
    for sentence in comparison_sentences(found):
        CONSOLE.print(escape(sentence))
    CONSOLE.print(f"Compared in {seconds:.0f} s.")


def _check_effects(samples: int, options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value and not samples:
            raise ConfigurationError(
                f"analysis.{name} needs effects to be measured; leave analysis.effect_samples=0 out."
            )


def _tell_groups(
    found: ModelComparison, further: DifferenceArtifacts, models: Sequence[ComparedModel], subject: Subject
) -> None:
    """Say from which groups of difference maps nothing was isolated, and how to test the furthest one that was not."""
    for group, failures in further.silent:
        CONSOLE.print(escape(silent_group_sentence(group.pair, group.class_name, len(group.rows), failures)))
    furthest = further.furthest(found, 1)
    if not furthest or further.most:
        return
    (group,) = furthest
    table = subject.out / "furthest_group.csv"
    write_csv(table, *groups_table(furthest))
    ckpt = next(each.ckpt for each in models if each.name == group.pair[0])
    CONSOLE.print(
        escape(furthest_group_sentence(group.pair, group.class_name, len(group.rows), subject.split, table, ckpt)),
        soft_wrap=True,
    )


def _log(logger: Logger, found: ModelComparison, files: ComparisonFiles) -> None:
    tables = {f"compare/{name}": rows for name, rows in comparison_tables(found).items()}
    pictures: dict[str, Path] = {f"compare/{path.stem}": path for path in files.pictures}
    log_once([logger], comparison_scalars(found), pictures, tables)
