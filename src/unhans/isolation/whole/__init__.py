"""Artifacts that lie on whole images: casts, contrast, blur, noise, JPEG, vignettes."""

from unhans.isolation.whole.image_statistics import Family, Numbers, Statistics
from unhans.isolation.whole.screening import LinearDiscriminant, WholeDetector
from unhans.isolation.whole.whole_image import isolate_whole

__all__ = [
    "Family",
    "LinearDiscriminant",
    "Numbers",
    "Statistics",
    "WholeDetector",
    "isolate_whole",
]
