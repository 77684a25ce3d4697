"""Layer-wise relevance propagation on the graph of a model, which is never written."""

from unhans.lrp.composite import COMPOSITES, composite_by_name
from unhans.lrp.explainer import LRP, Explanation
from unhans.lrp.graph import UnsupportedModelError
from unhans.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, WSquare, ZBox, ZPlus

__all__ = [
    "COMPOSITES",
    "LRP",
    "AlphaBeta",
    "Epsilon",
    "Explanation",
    "Flat",
    "Gamma",
    "Rule",
    "UnsupportedModelError",
    "WSquare",
    "ZBox",
    "ZPlus",
    "composite_by_name",
]
