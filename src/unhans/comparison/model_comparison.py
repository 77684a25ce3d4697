"""All that a comparison of models finds, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.comparison.matched_seeds import KindDifference
from unhans.comparison.model_pairs import Accuracy, Pair, PairDisagreement
from unhans.comparison.model_view import Views
from unhans.comparison.predictions import PredictionAgreement
from unhans.comparison.recommendation import Recommendation
from unhans.effects.interventions import Example
from unhans.stats import Area, Interval


@dataclass(frozen=True)
class ModelEffect:
    """What an artifact does in one model, on the same images of other classes as in the others.

    Attributes:
        model: its name.
        artifact: its name.
        label: the artifact's class.
        probability: mean change Δp of the class's probability, with its 95 % interval.
        interval: of it.
        n: images.
        verdict: "proven", "not used" or "open", all models and artifacts being one family of tests.
        q_value: of "not proven"; None where nothing was compared.
        changes: (n,) of single images.
        index: (n,) of the images in the data set.
        examples: some of them before and after, the same in every model: those on which the models differ most.
    """

    model: str
    artifact: str
    label: int
    probability: float
    interval: Interval
    n: int
    verdict: str
    q_value: float | None
    changes: NDArray[np.float64]
    index: NDArray[np.int64]
    examples: Sequence[Example] = ()


@dataclass(frozen=True)
class EffectDifference:
    """How much more an artifact does in one model than in another, paired over images.

    Attributes:
        first, second: the models.
        artifact: its name.
        label: the artifact's class.
        difference: Δp of the first minus Δp of the second.
        interval: its 95 % interval.
        n: images.
    """

    first: str
    second: str
    artifact: str
    label: int
    difference: float
    interval: Interval
    n: int


@dataclass(frozen=True)
class ModelComparison:
    """Several models on the same images.

    Attributes:
        models: their names.
        settings: by model, in what its training differed from that of others; {} where nobody knows.
        names: of the classes; the first `common` of them are those of all models and of the data.
        common: classes that all models and the data have.
        left_out: names of classes that only some have.
        seen: images that are left out, as one of the models was trained on them.
        paths: (n,) of the images.
        index: (n,) of the images in the data sets.
        labels: (n,) of the images, as places among the names.
        carriers: (n,) bool, images that carry the planted artifact; None where nobody knows.
        views: what each model says.
        accuracies: by model, on images that do not carry the planted artifact.
        predictions: by pair of models.
        pairs: every two models, by measure and class.
        twins: pairs that differ in the seed of their training only.
        kinds: every two kinds of training with two or more seeds each, by class.
        detection: by pair and measure, how well the disagreement tells carriers from other images of their class.
        effects: of artifacts in each model.
        differences: of these effects between models.
        recommendation: which of the equally accurate models to take.
    """

    models: Sequence[str]
    settings: Mapping[str, Mapping[str, Any]]
    names: Sequence[str]
    common: int
    left_out: Sequence[str]
    seen: int
    paths: Sequence[str]
    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    carriers: NDArray[np.bool_] | None
    views: Views
    accuracies: Mapping[str, Accuracy]
    predictions: Mapping[Pair, PredictionAgreement]
    pairs: Sequence[PairDisagreement]
    twins: Sequence[Pair]
    kinds: Sequence[KindDifference]
    detection: Mapping[Pair, Mapping[str, Area]]
    effects: Sequence[ModelEffect]
    differences: Sequence[EffectDifference]
    recommendation: Recommendation

    @property
    def clean(self) -> NDArray[np.bool_]:
        """Images (n,) that are not known to carry the planted artifact."""
        return np.ones(len(self.labels), dtype=bool) if self.carriers is None else ~self.carriers

    def rows_of(self, label: int | None) -> NDArray[np.int64]:
        """Return the images of a class; None is all."""
        return np.arange(len(self.labels)) if label is None else np.flatnonzero(self.labels == label)
