"""Networks, whatever library they come from, and the LightningModule that trains them."""

from unhans.lrp import LogitsOf
from unhans.models.checkpoint import load_network, save_network
from unhans.models.classifier import Classifier, load_weights
from unhans.models.huggingface_models import huggingface_classifier
from unhans.models.networks import SmallCNN
from unhans.models.outputs import Head, head_of, names_with, output_indices, speak
from unhans.models.preprocessing import preprocessing_of
from unhans.models.timm_models import timm_classifier
from unhans.models.torchvision_models import torchvision_classifier

__all__ = [
    "Classifier",
    "Head",
    "LogitsOf",
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
