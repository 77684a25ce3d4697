"""Marks at the same place in every image: watermarks, borders, rounded corners."""

from unhans.isolation.fixed.discriminant import Discriminant, block_size, gradients
from unhans.isolation.fixed.fixed_mark import FixedDetector, isolate_fixed
from unhans.isolation.fixed.membership import FOLDS, GAP, deal_folds

__all__ = [
    "FOLDS",
    "GAP",
    "Discriminant",
    "FixedDetector",
    "block_size",
    "deal_folds",
    "gradients",
    "isolate_fixed",
]
