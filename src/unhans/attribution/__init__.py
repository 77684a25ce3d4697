"""Explainers behind one small interface, and operations on heatmaps."""

from unhans.attribution.batches import Advance, Explained, explained
from unhans.attribution.explainer import Attribution, Explain, Heatmaps, Relevance
from unhans.attribution.heatmap import colorize, scale, sum_channels

__all__ = [
    "Advance",
    "Attribution",
    "Explain",
    "Explained",
    "Heatmaps",
    "Relevance",
    "colorize",
    "explained",
    "scale",
    "sum_channels",
]
