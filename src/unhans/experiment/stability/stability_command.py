"""The analysis `stability`: every class clustered with several settings of SpRAy, and what holds over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.experiment.run import Subject
from unhans.experiment.stability.stability_results import StabilityResults
from unhans.experiment.stability.stability_run import StabilityRun
from unhans.experiment.survey import Parallel, Target, check_explainable, survey_of
from unhans.report import progress
from unhans.report.text.quality import stability_cost
from unhans.spray import REFERENCE, Measure, SpRAy, variants
from unhans.store import sweep
from unhans.store.virelay import open_maps
from unhans.terminal import CONSOLE, ConfigurationError


def measure_stability(
    subject: Subject,
    spray: SpRAy,
    vary: Mapping[str, Any],
    classes: Sequence[str] | None = None,
    target: Target = "label",
    by: Measure = "lambda_2",
    first: PositiveInt = 3,
    maps: NonNegativeInt = 0,
    parallel: Parallel | None = None,
    logger: Logger | None = None,
) -> dict[str, float]:
    """Explain every class once, cluster it with several settings, and tell over which of them the findings hold.

    Heatmaps that lie in the folder already, those of analysis=spray too, are not made again; nor is a fit.

    Args:
        subject: the network and its data.
        spray: the setting that the others are held against.
        vary: by parameter a value or several, each tried alone.
        classes: names of the classes; None is all.
        target: explain the label of each sample, or the class predicted for it.
        by: what orders the classes: lambda_2, tau, or cut, the smallest normalised cut.
        first: how many classes count as the first.
        maps: how many of these are laid out by t-SNE and by UMAP, of A and of Φ, and the overlap of clusters measured.
        parallel: where classes are clustered; None is in as many processes as there are cores.
        logger: gets the numbers, the tables and the pictures.
    """
    try:
        spray.check_parameters()
        settings = variants(spray, {name: _listed(values) for name, values in vary.items()})
    except ValueError as error:
        raise ConfigurationError(f"analysis.{error}" if str(error).startswith("vary") else str(error)) from error
    survey = survey_of(subject, spray, classes, target, control=False)
    with subject.closing(logger):
        subject.hold()
        run = StabilityRun(survey, settings)
        if unexplained := run.unexplained:
            check_explainable(survey)
        subject.begin()
        sweep(survey.out)
        run.load()
        samples = sum(len(survey.subsets[label]) for label in unexplained)
        with progress(samples) as say:
            run.explain(say)
        _leave_out_repeated(run)
        CONSOLE.print(escape(stability_cost(len(run.found), len(run.settings), len(run.missing))))
        with progress(len(run.missing)) as say:
            run.compute(parallel or Parallel(), say)
        return StabilityResults(run, by, first, maps).conclude(logger)


def _listed(values: Any) -> Sequence[Any]:
    """The values of a parameter: a list, one alone, or none."""
    if values is None:
        return []
    return values if isinstance(values, Sequence) and not isinstance(values, str) else [values]


def _leave_out_repeated(run: StabilityRun) -> None:
    """Leave out settings that are another one for these classes, such as a grid that is no coarser than heatmaps."""
    files = [run.survey.files(label) for label, found in run.found.items() if not isinstance(found.get(REFERENCE), str)]
    sides = {max(open_maps(each).maps.shape[1:]) for each in files[:1]}
    sizes = {len(indices) for indices in run.survey.subsets.values()}
    kept: dict[str, str] = {}
    for name, spray in list(run.settings.items()):
        told = spray.get_params(deep=False) | {"n_neighbors": sorted(map(spray.neighbours_among, sizes))}
        if isinstance(spray.pooling, int) and all(spray.pooling >= side for side in sides):
            told["pooling"] = None
        same = repr(sorted(told.items(), key=str))
        if same in kept:
            CONSOLE.print(escape(f"{name} is left out: for these classes and heatmaps it is the same as {kept[same]}."))
            del run.settings[name]
        kept.setdefault(same, name)
