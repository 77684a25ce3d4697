"""Explainers behind one small interface, and operations on heatmaps."""

from unhans.attribution.batches import Advance, Explained, explain_all, explained
from unhans.attribution.cam import GradCAM, GuidedGradCAM
from unhans.attribution.control import RandomMaps
from unhans.attribution.explainer import Attribution, Explain, Heatmaps, Relevance
from unhans.attribution.gradients import GradientSHAP, InputXGradient, IntegratedGradients, Saliency, SmoothGrad
from unhans.attribution.heatmap import (
    COLOUR_MAPS,
    RGB,
    check_colour_map,
    class_means,
    colorize,
    scale,
    sum_channels,
)
from unhans.attribution.latent import POOLED, with_latent
from unhans.attribution.perturbation import Occlusion
from unhans.attribution.rectification import Deconvolution, GuidedBackprop
from unhans.attribution.rendering import enlarge, grid, overlay, picture, render

__all__ = [
    "COLOUR_MAPS",
    "POOLED",
    "RGB",
    "Advance",
    "Attribution",
    "Deconvolution",
    "Explain",
    "Explained",
    "GradCAM",
    "GradientSHAP",
    "GuidedBackprop",
    "GuidedGradCAM",
    "Heatmaps",
    "InputXGradient",
    "IntegratedGradients",
    "Occlusion",
    "RandomMaps",
    "Relevance",
    "Saliency",
    "SmoothGrad",
    "check_colour_map",
    "class_means",
    "colorize",
    "enlarge",
    "explain_all",
    "explained",
    "grid",
    "overlay",
    "picture",
    "render",
    "scale",
    "sum_channels",
    "with_latent",
]
