"""Networks by name: torchvision, timm, Hugging Face, ours; their heads, weights, preprocessing and checkpoints."""

from unhans.models.checkpoint import load_network, save_network
from unhans.models.hub_models import huggingface_classifier, timm_classifier
from unhans.models.networks import SmallCNN, torchvision_classifier
from unhans.models.outputs import Head, head_of, output_indices, output_names, relabel_for_head, with_head

__all__ = [
    "Head",
    "SmallCNN",
    "head_of",
    "huggingface_classifier",
    "load_network",
    "output_indices",
    "output_names",
    "relabel_for_head",
    "save_network",
    "timm_classifier",
    "torchvision_classifier",
    "with_head",
]
