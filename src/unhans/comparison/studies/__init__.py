"""Networks on the same images that are altered: with a decoy and without it, and prepared in several ways."""

from unhans.comparison.studies.decoy_study import (
    AS_TRAINED,
    ELSEWHERE,
    EVERYWHERE,
    OTHER,
    UNREAD,
    DecoyAnswers,
    DecoyGroup,
    DecoyStudy,
    DecoyTraining,
    smallest_proven,
    study_decoys,
)
from unhans.comparison.studies.swap_study import (
    UNASKED,
    SwapCell,
    SwapCost,
    SwapImages,
    SwapRow,
    SwapStudy,
    is_one_off,
    is_right,
    study_swap,
)

__all__ = [
    "AS_TRAINED",
    "ELSEWHERE",
    "EVERYWHERE",
    "OTHER",
    "UNASKED",
    "UNREAD",
    "DecoyAnswers",
    "DecoyGroup",
    "DecoyStudy",
    "DecoyTraining",
    "SwapCell",
    "SwapCost",
    "SwapImages",
    "SwapRow",
    "SwapStudy",
    "is_one_off",
    "is_right",
    "smallest_proven",
    "study_decoys",
    "study_swap",
]
