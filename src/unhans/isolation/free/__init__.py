"""Objects at changing places: of one shape, found by matching templates, or known by their colours alone."""

from unhans.isolation.free.colour_model import ColorDetector, ColorModel
from unhans.isolation.free.coloured_object import isolate_colored
from unhans.isolation.free.rigid_object import isolate_rigid
from unhans.isolation.free.templates import Template, TemplateDetector

__all__ = [
    "ColorDetector",
    "ColorModel",
    "Template",
    "TemplateDetector",
    "isolate_colored",
    "isolate_rigid",
]
