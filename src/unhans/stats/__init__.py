"""Statistics: how sure is a mean, a share, an area under a curve, and how many samples would it take?

Intervals (Wilson, bootstrap over samples and over clusters), means over seeds, areas under ROC curves with their
intervals, rank correlations, least-squares lines, and p-values that hold for any distribution. Pure functions of
numbers. What these say about an artifact is decided in `unhans.effects`.
"""

from unhans.stats.group_accuracy import Gap, GroupCount, group_counts, share_difference, widest_gap
from unhans.stats.intervals import (
    Area,
    Interval,
    Median,
    allow_for_unseen,
    area_of,
    bootstrap,
    bootstrap_columns,
    mean_difference,
    median_of,
    p_value,
    samples_below,
    samples_to_show,
    wilson,
)
from unhans.stats.rank_correlation import FEWEST, RankCorrelation, rank_correlation
from unhans.stats.regression import Line, least_squares
from unhans.stats.seeds import (
    Estimate,
    Rate,
    difference_over_folds,
    difference_over_seeds,
    estimate,
    mean_of_shares,
    mean_over_seeds,
    share_over_folds,
    share_over_seeds,
)

__all__ = [
    "FEWEST",
    "Area",
    "Estimate",
    "Gap",
    "GroupCount",
    "Interval",
    "Line",
    "Median",
    "RankCorrelation",
    "Rate",
    "allow_for_unseen",
    "area_of",
    "bootstrap",
    "bootstrap_columns",
    "difference_over_folds",
    "difference_over_seeds",
    "estimate",
    "group_counts",
    "least_squares",
    "mean_difference",
    "mean_of_shares",
    "mean_over_seeds",
    "median_of",
    "p_value",
    "rank_correlation",
    "samples_below",
    "samples_to_show",
    "share_difference",
    "share_over_folds",
    "share_over_seeds",
    "widest_gap",
    "wilson",
]
