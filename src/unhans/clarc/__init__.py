"""Class Artifact Compensation (ClArC): correcting a network in feature space [001; METHODS §5]."""

from unhans.clarc.activation import activations
from unhans.clarc.augmentation import augmenting, below
from unhans.clarc.choice import least_effect
from unhans.clarc.concept import Concept, Estimator, Spatial
from unhans.clarc.corrected import Corrected, ForClass, corrected, corrections_of, uncorrected
from unhans.clarc.correction import Correction
from unhans.clarc.estimator import ESTIMATORS
from unhans.clarc.fitting import fit
from unhans.clarc.layer import channel_axis, check_layer, layers
from unhans.clarc.ranking import rank_layers
from unhans.clarc.specification import prepared, specification

__all__ = [
    "ESTIMATORS",
    "Concept",
    "Corrected",
    "Correction",
    "Estimator",
    "ForClass",
    "Spatial",
    "activations",
    "augmenting",
    "below",
    "channel_axis",
    "check_layer",
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
