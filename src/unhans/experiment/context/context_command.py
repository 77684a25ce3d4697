"""The analysis `context`: how much of the relevance lies outside the objects, class by class and model by model?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, NonNegativeInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.compare import ComparedModel, renamed, sample_set
from unhans.experiment.context.annotated_images import annotated_images
from unhans.experiment.context.context_results import ContextResults
from unhans.experiment.context.context_run import ContextRun
from unhans.experiment.run import Subject
from unhans.faithfulness import MOST_COVERED
from unhans.report import progress
from unhans.report.text.quality import annotation_sentences, context_cost
from unhans.store import sweep
from unhans.terminal import CONSOLE


def measure_context(
    subject: Subject,
    networks: Sequence[ComparedModel],
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    most: Annotated[float, Field(gt=0, le=1)] = MOST_COVERED,
    examples: NonNegativeInt = 4,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Hold the heatmaps of one or several models against boxes or masks of the objects.

    Of every image the context ratio μ, mean positive relevance outside over that inside, and the share inside; class by
    class medians with intervals, held against accuracy. A model and class that is finished is not measured again.

    Args:
        subject: the data with `boxes` or `masks`, and the attribution.
        networks: at least one model, with the same images as its own network takes them.
        names: of the models, in their order; None: the folders of their runs.
        classes: names of the classes to look at; None is all that every model has.
        most: share of an image that its objects may cover; with more it is left out and counted.
        examples: images of a class with the highest μ that are drawn; 0 draws none.
        logger: gets the numbers, the tables and the pictures.

    Raises:
        ValueError: boxes or masks are missing, of another form, of other images or classes, or outside their image.
    """
    models = renamed(networks, names)
    samples, _ = sample_set(models, classes, subject.samples_per_class, seed=subject.seed, fewest=1)
    images = annotated_images(subject, samples)
    run = ContextRun(subject, models, images, most)
    with subject.closing(logger):
        subject.begin()
        sweep(subject.out)
        for sentence in annotation_sentences(images.beyond, images.rescaled, images.without):
            CONSOLE.print(escape(sentence))
        missing = run.missing
        total = sum(len(run.rows(label)) for _, label in missing)
        CONSOLE.print(escape(context_cost(len(samples.index), len(models), total)))
        with progress(total) as say:
            run.compute(missing, say)
        return ContextResults(run, examples).conclude(logger)
