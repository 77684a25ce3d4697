"""The analysis `faithfulness`: are the heatmaps right, by what the network loses with what they call relevant?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.faithfulness.checkpoint_epochs import EpochCheckpoint
from unhans.experiment.faithfulness.compared_methods import Named, compared_methods
from unhans.experiment.faithfulness.faithfulness_results import FaithfulnessResults, LabelChecks
from unhans.experiment.faithfulness.faithfulness_run import FaithfulnessRun
from unhans.experiment.faithfulness.permuted_labels import PermutedLabels
from unhans.experiment.faithfulness.quality_over_epochs import QualityOverEpochs, follow_checkpoints
from unhans.experiment.faithfulness.sanity_run import SanityRun
from unhans.experiment.run import Subject
from unhans.faithfulness import REGIONS, Order, RegionPerturbation, Replacement, Score, replaceable, usual_region
from unhans.report import progress
from unhans.report.text.quality import PERMUTED, UNTRAINED, faithfulness_cost, permuted_cost
from unhans.store import sweep
from unhans.terminal import CONSOLE, ConfigurationError


def measure_faithfulness(
    subject: Subject,
    methods: Sequence[Named] = ("input_x_gradient", "saliency"),
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
    permuted: str | None = None,
    permuted_epochs: NonNegativeInt = 0,
    checkpoints: Sequence[EpochCheckpoint] = (),
    relabelled: PermutedLabels | None = None,
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
        permuted: checkpoint of the same network trained on permuted labels, whose heatmaps theirs are compared with.
        permuted_epochs: train one in place of that, for so many epochs, from the start that the run's seed draws.
        checkpoints: of one training: the chosen attribution alone is followed over their epochs, beside accuracy.
        relabelled: what the options permuted and permuted_epochs stand for.
        logger: gets the numbers, the tables and the pictures.
    """
    if relabelled and (checkpoints or not sanity):
        raise ConfigurationError("permuted labels check the maps of one network: give ckpt=…, and analysis.sanity=8.")
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
        if relabelled and relabelled.work:
            CONSOLE.print(escape(permuted_cost(relabelled.work, seconds or run.seconds_per_pass())))
        with progress(passes) as say:
            run.compute(missing, say)
        checks = SanityRun(run, sanity).steps() if sanity else {}
        labels = _label_checks(run, sanity, relabelled) if relabelled else None
        return FaithfulnessResults(run, checks, labels).conclude(examples, logger)


def _label_checks(run: FaithfulnessRun, images: int, relabelled: PermutedLabels) -> LabelChecks:
    """Heatmaps held against those of a network trained on permuted labels, and against those before any training."""
    network = relabelled.network()
    against = SanityRun(run, images).against({PERMUTED: network, UNTRAINED: relabelled.start()})
    return LabelChecks(against, relabelled.learned(network))


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
    most = replaceable(subject.size, side, replace)
    count = steps or max(1, min(REGIONS, most // per_step))
    options = {"repeats": repeats, "replace": replace, "constant": constant, "of": of}
    return RegionPerturbation(side, count, per_step, seed=subject.seed, at_once=subject.batch_size, **options)
