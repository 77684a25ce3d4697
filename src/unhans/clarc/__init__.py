"""Class artifact compensation (ClArC): concept vectors of an artifact, and corrections in feature space.

CAVs and where they are fitted, P-ClArC and reactive corrections, the layers of A-ClArC. Training with them is done by
`unhans.callbacks`, comparing repairs by `unhans.repair`.
"""

from unhans.clarc.a_clarc import Freezing, augment_layer, parameters_below
from unhans.clarc.cav import Concept, Estimator, Spatial, fit
from unhans.clarc.cav_estimators import ESTIMATORS
from unhans.clarc.corrected_model import Corrected, corrected, corrections_of, prepared, specification, uncorrected
from unhans.clarc.correction import Correction
from unhans.clarc.layer_selection import least_effect, rank_layers
from unhans.clarc.layers import activations, channel_axis, check_layer, check_plain, layers

__all__ = [
    "ESTIMATORS",
    "Concept",
    "Corrected",
    "Correction",
    "Estimator",
    "Freezing",
    "Spatial",
    "activations",
    "augment_layer",
    "channel_axis",
    "check_layer",
    "check_plain",
    "corrected",
    "corrections_of",
    "fit",
    "layers",
    "least_effect",
    "parameters_below",
    "prepared",
    "rank_layers",
    "specification",
    "uncorrected",
]
