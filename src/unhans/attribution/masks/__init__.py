"""Masks as explanations: which part of an image of a given size keeps the class's score? (Fong et al. 2019)."""

from unhans.attribution.masks.extremal_perturbation import ExtremalPerturbation, SmallestAreas
from unhans.attribution.masks.mask_generator import MaskGenerator, kernel
from unhans.attribution.masks.perturbation import Blurring

__all__ = [
    "Blurring",
    "ExtremalPerturbation",
    "MaskGenerator",
    "SmallestAreas",
    "kernel",
]
