"""Does the network use an artifact? Its effect, its controls, the verdict, and one error rate over all tests.

A `Bench` is what a test needs of a network and its data. The `interventions` put artifacts on, take them off and do the
same with controls; `proof` measures, `ruling` and `verdict` decide, `false_discovery` decides among many. How an
artifact is found is in `unhans.isolation`; how a network is repaired in `unhans.repair` and `unhans.clarc`.
"""

from unhans.effects.artifact_test import FIRST, LENDERS
from unhans.effects.bench import (
    Bench,
    Change,
    FeatureSpace,
    Measurement,
    Read,
    check_label,
    draw_evenly,
    drawn,
    measure,
)
from unhans.effects.case import (
    STATES,
    Case,
    GivenPicture,
    Known,
    Prevalence,
    Share,
    Untested,
    leading,
    reason_of,
    state_of,
)
from unhans.effects.class_examination import CHOSEN_ON, WHOLE, Candidate, Plan, Sample, examine_class
from unhans.effects.effect import OTHER, Effect, Trial, flip_effect, gap, rank_of, softmax
from unhans.effects.false_discovery import decide
from unhans.effects.interventions import FeatureEffect
from unhans.effects.picture_pairs import STEPS, PairAnswers, PairEffect, own_class_first, pair_effects
from unhans.effects.proof import Proof, SplitRemoval, prove
from unhans.effects.relevance_share import Portion, Quality, portion, portion_of
from unhans.effects.verdict import (
    ARTIFACT,
    FEWEST,
    MINIMUM,
    Comparison,
    Kept,
    Reliance,
    Rival,
    Verdict,
    comparisons,
    decisive,
    kept_without,
    leaning,
    reliance,
)

__all__ = [
    "ARTIFACT",
    "CHOSEN_ON",
    "FEWEST",
    "FIRST",
    "LENDERS",
    "MINIMUM",
    "OTHER",
    "STATES",
    "STEPS",
    "WHOLE",
    "Bench",
    "Candidate",
    "Case",
    "Change",
    "Comparison",
    "Effect",
    "FeatureEffect",
    "FeatureSpace",
    "GivenPicture",
    "Kept",
    "Known",
    "Measurement",
    "PairAnswers",
    "PairEffect",
    "Plan",
    "Portion",
    "Prevalence",
    "Proof",
    "Quality",
    "Read",
    "Reliance",
    "Rival",
    "Sample",
    "Share",
    "SplitRemoval",
    "Trial",
    "Untested",
    "Verdict",
    "check_label",
    "comparisons",
    "decide",
    "decisive",
    "draw_evenly",
    "drawn",
    "examine_class",
    "flip_effect",
    "gap",
    "kept_without",
    "leading",
    "leaning",
    "measure",
    "own_class_first",
    "pair_effects",
    "portion",
    "portion_of",
    "prove",
    "rank_of",
    "reason_of",
    "reliance",
    "softmax",
    "state_of",
]
