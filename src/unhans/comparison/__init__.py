"""Several models on the same images: where do they have different reasons?

Agreement of predictions, heatmaps and masks image by image, held against trainings that differ in the seed only, and
the choice among models that are equally accurate. Pure functions of arrays; what runs networks over data is above.
"""

from unhans.comparison.cluster_agreement import NONE, cluster_disagreement
from unhans.comparison.heatmap_agreement import GRID, cosine, on_grid, spearman, sum_onto, top_overlap
from unhans.comparison.image_masks import ImageMasks, blocks
from unhans.comparison.mask_agreement import chance_overlap, mask_overlap, rounded, share_inside
from unhans.comparison.matched_seeds import KindDifference, common_share, judge_kinds
from unhans.comparison.model_comparison import EffectDifference, ModelComparison, ModelEffect
from unhans.comparison.model_pairs import Pair, PairDisagreement, accuracy_of, judge_pairs, pairs_of
from unhans.comparison.model_view import ModelView, disagreements, drop, quotient
from unhans.comparison.predictions import PredictionAgreement, equally_accurate, prediction_agreement
from unhans.comparison.rashomon_set import ProvenReason, RashomonRound, judge_round
from unhans.comparison.recommendation import Choice, Recommendation, recommend
from unhans.comparison.seed_twins import (
    ClassDisagreement,
    Reasons,
    class_disagreement,
    detection,
    resampled,
    settle,
)
from unhans.comparison.studies import (
    AS_TRAINED,
    ELSEWHERE,
    EVERYWHERE,
    OTHER,
    UNASKED,
    UNREAD,
    DecoyAnswers,
    DecoyGroup,
    DecoyStudy,
    DecoyTraining,
    SwapCell,
    SwapCost,
    SwapImages,
    SwapRow,
    SwapStudy,
    is_one_off,
    is_right,
    smallest_proven,
    study_decoys,
    study_swap,
)

__all__ = [
    "AS_TRAINED",
    "ELSEWHERE",
    "EVERYWHERE",
    "GRID",
    "NONE",
    "OTHER",
    "UNASKED",
    "UNREAD",
    "Choice",
    "ClassDisagreement",
    "DecoyAnswers",
    "DecoyGroup",
    "DecoyStudy",
    "DecoyTraining",
    "EffectDifference",
    "ImageMasks",
    "KindDifference",
    "ModelComparison",
    "ModelEffect",
    "ModelView",
    "Pair",
    "PairDisagreement",
    "PredictionAgreement",
    "ProvenReason",
    "RashomonRound",
    "Reasons",
    "Recommendation",
    "SwapCell",
    "SwapCost",
    "SwapImages",
    "SwapRow",
    "SwapStudy",
    "accuracy_of",
    "blocks",
    "chance_overlap",
    "class_disagreement",
    "cluster_disagreement",
    "common_share",
    "cosine",
    "detection",
    "disagreements",
    "drop",
    "equally_accurate",
    "is_one_off",
    "is_right",
    "judge_kinds",
    "judge_pairs",
    "judge_round",
    "mask_overlap",
    "on_grid",
    "pairs_of",
    "prediction_agreement",
    "quotient",
    "recommend",
    "resampled",
    "rounded",
    "settle",
    "share_inside",
    "smallest_proven",
    "spearman",
    "study_decoys",
    "study_swap",
    "sum_onto",
    "top_overlap",
]
