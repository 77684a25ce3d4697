"""Marks at the same place in every image: watermarks, borders, rounded corners."""

from unhans.isolation.fixed.discriminant import Discriminant, block_size
from unhans.isolation.fixed.fixed_mark import FixedDetector, isolate_fixed
from unhans.isolation.fixed.image_gradients import gradients
from unhans.isolation.fixed.membership import FOLDS, GAP, deal

__all__ = [
    "FOLDS",
    "GAP",
    "Discriminant",
    "FixedDetector",
    "block_size",
    "deal",
    "gradients",
    "isolate_fixed",
]
