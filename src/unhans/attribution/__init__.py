"""Heatmaps: how much did every pixel matter, by LRP or by any other method?

One small interface for all methods, their batches, layers and operations on maps, and what keeps a model untouched
meanwhile (`side_effects`). The rules of LRP are in `unhans.lrp`, groups of heatmaps in `unhans.spray`.
"""

from unhans.attribution.captum_methods import (
    GradientSHAP,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    Saliency,
    SmoothGrad,
)
from unhans.attribution.grad_cam import GradCAM, GuidedGradCAM
from unhans.attribution.guided_backprop import Deconvolution, GuidedBackprop
from unhans.attribution.heatmaps import (
    COLOUR_MAPS,
    RGB,
    check_colour_map,
    class_means,
    colorize,
    enlarge,
    overlay,
    picture,
    scale,
    seen_through,
    sum_channels,
    with_difference,
)
from unhans.attribution.latent import POOLED, Features, last_features, with_latent
from unhans.attribution.masks import ExtremalPerturbation, SmallestAreas
from unhans.attribution.method import Advance, Attribution, Explain, Heatmaps, RandomMaps, Relevance, explain_all
from unhans.attribution.places import check_name
from unhans.attribution.side_effects import (
    fastest_view,
    frozen_view,
    invisible,
    run_with_hooks,
    without_side_effects,
)
from unhans.attribution.tiles import Tiled, tile_starts, tile_windows

__all__ = [
    "COLOUR_MAPS",
    "POOLED",
    "RGB",
    "Advance",
    "Attribution",
    "Deconvolution",
    "Explain",
    "ExtremalPerturbation",
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
    "SmallestAreas",
    "SmoothGrad",
    "Tiled",
    "check_colour_map",
    "check_name",
    "class_means",
    "colorize",
    "enlarge",
    "explain_all",
    "fastest_view",
    "frozen_view",
    "invisible",
    "last_features",
    "overlay",
    "picture",
    "run_with_hooks",
    "scale",
    "seen_through",
    "sum_channels",
    "tile_starts",
    "tile_windows",
    "with_difference",
    "with_latent",
    "without_side_effects",
]
