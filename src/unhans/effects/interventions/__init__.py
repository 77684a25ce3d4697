"""Changes of images, or of features, whose effect on predictions is measured: artifacts, removals and controls."""

from unhans.effects.interventions.addition import add, pasted
from unhans.effects.interventions.examples import Example, choose, examples_of
from unhans.effects.interventions.feature_effect import FeatureEffect, feature_effect
from unhans.effects.interventions.removal import Masks, Subtraction, Truth, check_fills, located, masks_of
from unhans.effects.interventions.squaring_effect import (
    GROUPS,
    NATURAL,
    Group,
    SquaredLogits,
    SquaringChange,
    SquaringEffect,
    changes_of,
    squaring_effect,
)

__all__ = [
    "GROUPS",
    "NATURAL",
    "Example",
    "FeatureEffect",
    "Group",
    "Masks",
    "SquaredLogits",
    "SquaringChange",
    "SquaringEffect",
    "Subtraction",
    "Truth",
    "add",
    "changes_of",
    "check_fills",
    "choose",
    "examples_of",
    "feature_effect",
    "located",
    "masks_of",
    "pasted",
    "squaring_effect",
]
