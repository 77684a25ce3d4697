"""Layer-wise relevance propagation: which inputs did a network's output come from, exactly?

`LRP` records what a model computes (`unhans.lrp.tracing`), gives every operation its rule (`composites`, `rules`) and
walks down. The model is never written. What has no rule is refused by name. Heatmaps for pictures, other attribution
methods and batches are in `unhans.attribution`.
"""

from unhans.lrp.composites import COMPOSITES, RULES, Composite, CompositeLike, Match, composite_by_name, resolve
from unhans.lrp.conservation import Balance, Conservation
from unhans.lrp.lrp import LRP, Explanation
from unhans.lrp.receptive_fields import deepest_within, receptive_fields
from unhans.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, Rule, SignedZPlus, WSquare, ZBox, ZPlus
from unhans.lrp.targets import check_weights, is_weighted, target_classes
from unhans.lrp.tracing import LogitsOf
from unhans.lrp.tracing.aten import UnsupportedModelError

__all__ = [
    "COMPOSITES",
    "LRP",
    "RULES",
    "AlphaBeta",
    "Balance",
    "Composite",
    "CompositeLike",
    "Conservation",
    "Epsilon",
    "Explanation",
    "Flat",
    "Gamma",
    "LogitsOf",
    "Match",
    "Rule",
    "SignedZPlus",
    "UnsupportedModelError",
    "WSquare",
    "ZBox",
    "ZPlus",
    "check_weights",
    "composite_by_name",
    "deepest_within",
    "is_weighted",
    "receptive_fields",
    "resolve",
    "target_classes",
]
