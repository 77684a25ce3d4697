"""The analysis `faithfulness`: are the heatmaps right, by what the network loses with what they call relevant?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.faithfulness.checkpoint_epochs import EpochCheckpoint
from unhans.experiment.faithfulness.compared_methods import compared_methods
from unhans.experiment.faithfulness.faithfulness_results import FaithfulnessResults
from unhans.experiment.faithfulness.faithfulness_run import FaithfulnessRun
from unhans.experiment.faithfulness.quality_over_epochs import QualityOverEpochs, follow_checkpoints
from unhans.experiment.faithfulness.sanity_run import SanityRun
from unhans.experiment.run import Subject
from unhans.faithfulness import REGIONS, Order, RegionGrid, RegionPerturbation, Replacement, Score, usual_region
from unhans.report import progress
from unhans.report.text.quality import faithfulness_cost
from unhans.store import sweep
from unhans.terminal import CONSOLE, ConfigurationError


def measure_faithfulness(
    subject: Subject,
    methods: Sequence[str] = ("input_x_gradient", "saliency"),
    classes: Sequence[str] | None = None,
    per_class: PositiveInt = 6,
    region: PositiveInt | None = None,
    steps: PositiveInt | None = None,
    per_step: PositiveInt = 1,
    orders: Sequence[Literal["morf", "lerf"]] = ("morf",),
    repeats: PositiveInt = 3,
    replace: Replacement = "uniform",
    constant: float = 0.0,
    of: Score = "logit",
    target: Literal["predicted", "label"] = "predicted",
    path: NonNegativeInt = 3,
    noise: NonNegativeFloat = 0.1,
    sanity: NonNegativeInt = 8,
    examples: NonNegativeInt = 2,
    regions: Mapping[str, Any] | Sequence[str] | None = None,
    checkpoints: Sequence[EpochCheckpoint] = (),
    logger: Logger | None = None,
) -> dict[str, float]:
    """Perturb images region by region in the order of several methods' heatmaps, and compare with random order.

    Beside it: how complex the heatmaps are, how continuous and how specific to the image, and whether they change when
    the network's layers become random. A method and class that is finished is not computed again.

    Args:
        subject: the network and its data; its attribution is the first method.
        methods: choices of `attribution=` or LRP's rule sets that it is compared with.
        classes: names of the classes that images are drawn from; None is all.
        per_class: images of each class, at most.
        region: side of a region in pixels; None is that of the source, 9 for 227 pixels, and in proportion.
        steps: how many; None is 100, or all that there are.
        per_step: regions replaced in a step.
        orders: "morf" most relevant first, "lerf" least relevant first; random order is always measured.
        repeats: of noise and of random orders.
        replace: what takes the place of a region; see `unhans.faithfulness.fill`.
        constant: of replace="constant", from 0, black, to 1.
        of: "logit" of the class or its "probability".
        target: the class that is explained and asked about: the "predicted" one or the "label".
        path: copies of an image along which continuity is measured; 0 measures none.
        noise: of the last noisy copy, in standard deviations of the image.
        sanity: images whose heatmaps are compared while the network's layers become random; 0 is none.
        examples: images that are drawn while they are perturbed; 0 is none.
        regions: of several checkpoints, named regions whose share of relevance is followed; see `region_masks`.
        checkpoints: of one training: the chosen attribution alone is followed over their epochs, beside accuracy.
        logger: gets the numbers, the tables and the pictures.
    """
    if regions and not checkpoints:
        raise ConfigurationError("analysis.regions are followed over epochs; give ckpts=[a,b,…] of one training.")
    compared = compared_methods(subject.attribution, methods)
    perturbation = _perturbation(subject, region, steps, per_step, repeats, replace, constant, of)
    if checkpoints:
        chosen = subject.subsets(classes, per_class)
        over = QualityOverEpochs(subject, checkpoints, perturbation, target, chosen, regions or ())
        with subject.closing(logger):
            over.check()
            subject.begin()
            sweep(subject.out)
            return follow_checkpoints(over, logger)
    run = FaithfulnessRun(
        subject, compared, perturbation, _orders(orders), target, subject.subsets(classes, per_class), path, noise
    )
    run.check()
    with subject.closing(logger):
        subject.begin()
        sweep(subject.out)
        missing = run.missing
        passes = run.passes(missing)
        seconds = run.seconds_per_pass() if passes else 0.0
        done = len(run.chosen) * (1 + len(compared)) - sum(map(len, missing.values()))
        CONSOLE.print(escape(faithfulness_cost(passes, seconds, sum(map(len, run.chosen.values())), done)))
        with progress(passes) as say:
            run.compute(missing, say)
        checks = SanityRun(run, sanity).steps() if sanity else {}
        return FaithfulnessResults(run, checks).conclude(examples, logger)


def _orders(orders: Sequence[str]) -> list[Order]:
    if not orders:
        raise ConfigurationError("analysis.orders expects morf, lerf or both, got an empty list.")
    return list(dict.fromkeys(orders))


def _perturbation(
    subject: Subject, region: int | None, steps: int | None, per_step: int, repeats: int, replace: Replacement,
    constant: float, of: Score,
) -> RegionPerturbation:  # fmt: skip
    """Fill in what depends on the size of the images."""
    side = region or usual_region(subject.size)
    most = RegionGrid(subject.size, side).count - (replace == "inpaint")
    count = steps or max(1, min(REGIONS, most // per_step))
    options = {"repeats": repeats, "replace": replace, "constant": constant, "of": of}
    return RegionPerturbation(side, count, per_step, seed=subject.seed, at_once=subject.batch_size, **options)
