"""Statistics: how sure is a mean, a share, an area under a curve, and how many samples would it take?

Intervals (Wilson, bootstrap over samples and over clusters), means over seeds, areas under ROC curves with their
intervals, and p-values that hold for any distribution. Pure functions of numbers. What these say about an artifact is
decided in `unhans.effects`.
"""

from unhans.stats.intervals import Interval, bootstrap, bootstraps, paired, samples_below, wilson, with_unseen
from unhans.stats.roc import Area, area_of
from unhans.stats.seeds import Estimate, Rate, difference, estimate, over_seeds, share
from unhans.stats.significance import p_value, samples_to_show

__all__ = [
    "Area",
    "Estimate",
    "Interval",
    "Rate",
    "area_of",
    "bootstrap",
    "bootstraps",
    "difference",
    "estimate",
    "over_seeds",
    "p_value",
    "paired",
    "samples_below",
    "samples_to_show",
    "share",
    "wilson",
    "with_unseen",
]
