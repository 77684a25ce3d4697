"""The analysis `swap`: networks on images that are prepared otherwise than those of their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import NonNegativeInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.class_names import class_index
from unhans.experiment.run import Subject
from unhans.experiment.swap.swap_results import SwapResults
from unhans.experiment.swap.swap_run import SwapRun
from unhans.experiment.swap.swap_variants import SwapData, SwapNetwork, draw_sample, variants_of
from unhans.report import progress
from unhans.report.text.models import swap_cost
from unhans.store import sweep
from unhans.terminal import CONSOLE, ConfigurationError


def swap_preprocessing(
    subject: Subject,
    tested: Sequence[SwapNetwork],
    variants: Mapping[str, Mapping[str, Any] | None] | None = None,
    trained: Sequence[str | None] | None = None,
    classes: Sequence[str] | None = None,
    ordered: bool | Sequence[str] = False,
    crops: Literal[1, 10] = 1,
    examples: NonNegativeInt = 4,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Test networks on images that are prepared in several ways, and compare with the way of their training.

    Networks that differ in the seed only are joined. What a network said is kept in the folder and taken again where
    nothing that it depends on has changed.

    Args:
        subject: the first network; its split and `samples_per_class` say which images.
        tested: all networks.
        variants: options of the data by name, such as {"plain": {}, "jpeg": {"jpeg": 20}}; None: those of the
            networks' own trainings. A variant may be another folder, `root`.
        trained: the variant that each network was trained on, None where it is none of them; None as a whole: read
            from the configuration of its run.
        classes: names of the classes that images are taken from; None is all.
        ordered: classes have the order of their labels, or that of these names: predictions that are one class off are
            counted as well.
        crops: 1, or 10: the mean probability of four corners and the centre, and these mirrored.
        examples: images whose heatmaps are drawn under every variant, those that the swap changes most; 0: none.
        logger: gets the numbers, the tables and the pictures.

    Raises:
        ValueError: a variant cannot be made, a network cannot take it, or there are no images.
    """
    swap = SwapData(tested, variants_of(variants, tested), subject, crops, classes)
    own = _trained(swap, trained)
    order = _order(swap, ordered)
    run = SwapRun(swap, draw_sample(swap))
    run.check()
    with subject.closing(logger):
        subject.begin()
        sweep(subject.out)
        missing = run.missing
        seconds = run.seconds_per_image() if missing else 0.0
        CONSOLE.print(escape(swap_cost(len(tested), len(swap.variants), run.images, missing, seconds)))
        with progress(run.images) as say:
            answers = run.answers(say)
        return SwapResults(run, answers, own, order).conclude(examples, logger)


def _trained(swap: SwapData, given: Sequence[str | None] | None) -> list[str | None]:
    """The variant of each network's training."""
    if given is None:
        return [swap.trained(one) for one in swap.networks]
    unknown = [name for name in given if name is not None and name not in swap.variants]
    if len(given) != len(swap.networks) or unknown:
        raise ConfigurationError(
            f"analysis.trained expects a variant ({', '.join(swap.variants)}) or null for each of "
            f"{len(swap.networks)} networks, got {list(given)}."
        )
    return list(given)


def _order(swap: SwapData, ordered: bool | Sequence[str]) -> list[int] | None:
    """The place of every class that is asked about; None where classes have no order."""
    if ordered is False:
        return None
    if ordered is True:
        names = [name for name in swap.networks[0].data.classes if name in swap.names]
    else:
        names = [swap.names[class_index(str(name), swap.names, "analysis.ordered")] for name in ordered]
    if sorted(names) != sorted(swap.names):
        raise ConfigurationError(
            f"analysis.ordered expects every class once ({', '.join(swap.names)}), got {', '.join(names)}."
        )
    return [names.index(name) for name in swap.names]
