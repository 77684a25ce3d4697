"""What is followed of heatmaps while a network trains: their quality, and the relevance in named regions."""

from unhans.faithfulness.training.named_regions import FRAME, QUADRANTS, border_frame, box_region, quadrants
from unhans.faithfulness.training.quality_values import (
    ACCURACY,
    FAITHFUL,
    MAIN,
    MeasuredEpoch,
    estimated,
    followed,
    quality_values,
    share_values,
)
from unhans.faithfulness.training.region_shares import SHARES, RegionShares, region_shares

__all__ = [
    "ACCURACY",
    "FAITHFUL",
    "FRAME",
    "MAIN",
    "QUADRANTS",
    "SHARES",
    "MeasuredEpoch",
    "RegionShares",
    "border_frame",
    "box_region",
    "estimated",
    "followed",
    "quadrants",
    "quality_values",
    "region_shares",
    "share_values",
]
