"""Class artifact compensation (ClArC): concept vectors of an artifact, and corrections in feature space.

CAVs and where they are fitted, P-ClArC and reactive corrections, the layers of A-ClArC. Training with them is done by
`unhans.callbacks`, comparing repairs by `unhans.repair`.
"""

from unhans.clarc.a_clarc import augmenting, below
from unhans.clarc.activations import activations
from unhans.clarc.cav import Concept, Estimator, Spatial, fit
from unhans.clarc.cav_estimators import ESTIMATORS
from unhans.clarc.corrected_model import (
    Corrected,
    ForClass,
    corrected,
    corrections_of,
    prepared,
    specification,
    uncorrected,
)
from unhans.clarc.correction import Correction
from unhans.clarc.freezing import Freezing
from unhans.clarc.layer_selection import least_effect, rank_layers
from unhans.clarc.layers import channel_axis, check_layer, check_name, check_plain, layers

__all__ = [
    "ESTIMATORS",
    "Concept",
    "Corrected",
    "Correction",
    "Estimator",
    "ForClass",
    "Freezing",
    "Spatial",
    "activations",
    "augmenting",
    "below",
    "channel_axis",
    "check_layer",
    "check_name",
    "check_plain",
    "corrected",
    "corrections_of",
    "fit",
    "layers",
    "least_effect",
    "prepared",
    "rank_layers",
    "specification",
    "uncorrected",
]
