"""Heatmaps: how much did every pixel matter, by LRP or by any other method?

One small interface for all methods, their batches, layers and operations on maps, and what keeps a model untouched
meanwhile (`side_effects`). The rules of LRP are in `unhans.lrp`, groups of heatmaps in `unhans.spray`.
"""

from unhans.attribution.features import Features, last_features
from unhans.attribution.grad_cam import GradCAM, GuidedGradCAM
from unhans.attribution.gradient_methods import GradientSHAP, InputXGradient, IntegratedGradients, Saliency, SmoothGrad
from unhans.attribution.guided_backprop import Deconvolution, GuidedBackprop
from unhans.attribution.heatmaps import COLOUR_MAPS, RGB, check_colour_map, class_means, colorize, scale, sum_channels
from unhans.attribution.latent import POOLED, with_latent
from unhans.attribution.method import (
    Advance,
    Attribution,
    Explain,
    Explained,
    Heatmaps,
    Relevance,
    explain_all,
    explained,
)
from unhans.attribution.occlusion import Occlusion
from unhans.attribution.random_maps import RandomMaps
from unhans.attribution.side_effects import frozen_view, invisible, isolated
from unhans.attribution.visualization import enlarge, grid, overlay, picture, render

__all__ = [
    "COLOUR_MAPS",
    "POOLED",
    "RGB",
    "Advance",
    "Attribution",
    "Deconvolution",
    "Explain",
    "Explained",
    "Features",
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
    "frozen_view",
    "grid",
    "invisible",
    "isolated",
    "last_features",
    "overlay",
    "picture",
    "render",
    "scale",
    "sum_channels",
    "with_latent",
]
