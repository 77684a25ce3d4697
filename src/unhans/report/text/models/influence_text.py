"""What the influence of training images tells, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unhans.report.text.number_format import percent, samples_said

if TYPE_CHECKING:
    from unhans.influence import GradientClusters, QueryInfluence

KNOWN_FROM = {
    "planted": "The data plant the artifact, so its carriers are known.",
    "suspects": "The images that analysis.suspects lists count as carriers of their class's artifact.",
    "effects": "The images in which an artifact isolated by analysis=effect is found count as its carriers.",
    None: "Nobody knows which images carry an artifact (nothing is planted, and neither analysis.suspects nor "
    "analysis.effects is given), so precision is not reported.",
}
SCALARS = {
    "loss": "the cross-entropy of the label",
    "label": "the logit of the label",
    "predicted": "the logit of the predicted class",
}


def group_name(one: QueryInfluence) -> str:
    """Name the queries of a class that one belongs to."""
    where = "training" if one.trained else "validation"
    return where if one.carries is None else f"{where}, {'with' if one.carries else 'without'} artifact"


def measure_sentence(layers: Sequence[str], of: str, normalise: bool) -> str:
    """Say what a score is."""
    what = "Cosine" if normalise else "Dot product"
    return f"{what} of the gradients of {SCALARS[of]} by {', '.join(layers)}, of a query and of a training image."


def carriers_sentence(name: str, queries: Sequence[QueryInfluence]) -> str:
    """Say of a class whose carriers are known how many of them lie first, for queries with and without the artifact."""
    k = min(queries[0].precision)
    said = []
    for carries, word in ((True, "with"), (False, "without")):
        found = [one.precision[k] for one in queries if one.carries is carries]
        if found:
            shares = percent(float(np.median(found)), 0)
            said.append(f"{shares} where the query is {word} it (median of {samples_said(len(found))})")
    chance = queries[-1].chance
    return (
        f"Class {name!r}: of the {k} training images that influence a query most, those with the artifact are "
        f"{', and '.join(said)}; of the class {percent(chance.of_class, 0)} carry it, of all {percent(chance.overall)}."
    )


def gradients_sentence(name: str, found: Sequence[GradientClusters]) -> str:
    """Say how well the clusters of the gradients of a class agree with the carriers."""
    best = max(found, key=lambda one: one.adjusted_rand)
    return (
        f"Class {name!r}: two clusters of gradients agree best with the carriers by {', '.join(best.layers)}: adjusted "
        f"Rand index {best.adjusted_rand:.2f}, precision {percent(best.precision, 0)}, "
        f"recall {percent(best.recall, 0)}."
    )


def list_sentence(name: str, n: int, carriers: int) -> str:
    """Say what the list of images to clean holds of a class."""
    return (
        f"Class {name!r}: the {n} of its training images that influence those with the artifact most are in "
        f"cleaning_list.csv; {carriers} of them are known to carry it."
    )
