"""Objects without a shape of their own, known by their colours."""

from unhans.isolation.colour.colour_model import ColorDetector, ColorModel
from unhans.isolation.colour.coloured_object import isolate_colored

__all__ = [
    "ColorDetector",
    "ColorModel",
    "isolate_colored",
]
