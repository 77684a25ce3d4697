"""Objects of one shape that lie anywhere, found by matching templates."""

from unhans.isolation.rigid.rigid_object import isolate_rigid
from unhans.isolation.rigid.templates import Template, TemplateDetector

__all__ = [
    "Template",
    "TemplateDetector",
    "isolate_rigid",
]
