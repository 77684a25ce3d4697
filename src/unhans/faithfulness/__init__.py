"""Is a heatmap right? What the network loses with what it calls relevant, how complex it is, what it depends on.

Region perturbation (`RegionPerturbation`), complexity of maps, continuity and image-specificity, and randomised weights
as a sanity check; how much relevance lies outside the objects of a class (`context_ratio`). Pure functions of networks
and arrays; data sets, files and figures are above.
"""

from unhans.faithfulness.complexity import COMPLEXITIES, Complexity, complexity
from unhans.faithfulness.context_ratio import (
    MOST_COVERED,
    ContextRatios,
    ContextState,
    context_ratio,
    states_after,
    states_before,
)
from unhans.faithfulness.context_summary import (
    AccuracyRelation,
    ContextSummary,
    CoOccurrence,
    co_occurrence,
    difference_of_context,
    relate_to_accuracy,
    summarise_classes,
    summarise_context,
)
from unhans.faithfulness.input_shift import InputShift, ShiftedMaps, shifted_network
from unhans.faithfulness.method_measures import MEASURES, MethodMeasures, MethodSummary, heatmap_values, summarise
from unhans.faithfulness.perturbation_curves import MeanCurve, PerturbationCurves, estimate_mean, mean_curve, minus
from unhans.faithfulness.properties import Continuity, class_similarity, continuity, noisy, rotated, translated
from unhans.faithfulness.randomization import RandomizedStep, cascade, layers_from_top, randomized_similarity
from unhans.faithfulness.region_perturbation import REGIONS, RegionPerturbation, Score, replaceable, usual_region
from unhans.faithfulness.regions import Order, RegionGrid, image_keys, order_regions
from unhans.faithfulness.replacement import REPLACEMENTS, Perturbed, PixelRange, Replacement, fill

__all__ = [
    "COMPLEXITIES",
    "MEASURES",
    "MOST_COVERED",
    "REGIONS",
    "REPLACEMENTS",
    "AccuracyRelation",
    "CoOccurrence",
    "Complexity",
    "ContextRatios",
    "ContextState",
    "ContextSummary",
    "Continuity",
    "InputShift",
    "MeanCurve",
    "MethodMeasures",
    "MethodSummary",
    "Order",
    "PerturbationCurves",
    "Perturbed",
    "PixelRange",
    "RandomizedStep",
    "RegionGrid",
    "RegionPerturbation",
    "Replacement",
    "Score",
    "ShiftedMaps",
    "cascade",
    "class_similarity",
    "co_occurrence",
    "complexity",
    "context_ratio",
    "continuity",
    "difference_of_context",
    "estimate_mean",
    "fill",
    "heatmap_values",
    "image_keys",
    "layers_from_top",
    "mean_curve",
    "minus",
    "noisy",
    "order_regions",
    "randomized_similarity",
    "relate_to_accuracy",
    "replaceable",
    "rotated",
    "shifted_network",
    "states_after",
    "states_before",
    "summarise",
    "summarise_classes",
    "summarise_context",
    "translated",
    "usual_region",
]
