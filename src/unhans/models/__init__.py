"""Networks by name: torchvision, timm, Hugging Face, ours; their heads, weights, preprocessing and checkpoints."""

from unhans.models.checkpoint import load_network, save_network
from unhans.models.classifier import Classifier, load_weights
from unhans.models.huggingface_models import huggingface_classifier
from unhans.models.networks import SmallCNN
from unhans.models.outputs import Head, head_of, names_with, output_indices, speak
from unhans.models.timm_models import timm_classifier
from unhans.models.torchvision_models import torchvision_classifier
from unhans.models.weights_preprocessing import preprocessing_of

__all__ = [
    "Classifier",
    "Head",
    "SmallCNN",
    "head_of",
    "huggingface_classifier",
    "load_network",
    "load_weights",
    "names_with",
    "output_indices",
    "preprocessing_of",
    "save_network",
    "speak",
    "timm_classifier",
    "torchvision_classifier",
]
