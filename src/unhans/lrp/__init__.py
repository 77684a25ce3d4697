"""Layer-wise relevance propagation: which inputs did a network's output come from, exactly?

`LRP` records what a model computes (`unhans.lrp.tracing`), gives every operation its rule (`composites`, `rules`) and
walks down. The model is never written. What has no rule is refused by name. Heatmaps for pictures, other attribution
methods and batches are in `unhans.attribution`.
"""

from unhans.lrp.composites import COMPOSITES, RULES, Composite, Given, Match, composite_by_name, resolve
from unhans.lrp.conservation import Balance, Conservation
from unhans.lrp.errors import UnsupportedModelError
from unhans.lrp.lrp import LRP, Explanation
from unhans.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, SignedZPlus, WSquare, ZBox, ZPlus
from unhans.lrp.targets import target_classes
from unhans.lrp.tracing import Layout, LogitsOf, layouts, logits_of

__all__ = [
    "COMPOSITES",
    "LRP",
    "RULES",
    "AlphaBeta",
    "Balance",
    "Composite",
    "Conservation",
    "Epsilon",
    "Explanation",
    "Flat",
    "Gamma",
    "Given",
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
    "resolve",
    "target_classes",
]
