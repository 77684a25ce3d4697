"""Layer-wise relevance propagation on what a model computes; the model is never written."""

from unhans.lrp.composite import COMPOSITES, RULES, Match, composite_by_name
from unhans.lrp.conservation import Balance, Conservation
from unhans.lrp.explainer import LRP, Explanation
from unhans.lrp.layout import Layout, layouts
from unhans.lrp.logits import LogitsOf, logits_of
from unhans.lrp.refusal import UnsupportedModelError
from unhans.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, SignedZPlus, WSquare, ZBox, ZPlus

__all__ = [
    "COMPOSITES",
    "LRP",
    "RULES",
    "AlphaBeta",
    "Balance",
    "Conservation",
    "Epsilon",
    "Explanation",
    "Flat",
    "Gamma",
    "Layout",
    "LogitsOf",
    "Match",
    "Rule",
    "SignedZPlus",
    "UnsupportedModelError",
    "WSquare",
    "ZBox",
    "ZPlus",
    "composite_by_name",
    "layouts",
    "logits_of",
]
