"""Networks and the LightningModule that trains them."""

from unhans.lrp import LogitsOf
from unhans.models.checkpoint import load_network, save_network
from unhans.models.classifier import Classifier, load_weights
from unhans.models.networks import SmallCNN, torchvision_classifier

__all__ = [
    "Classifier",
    "LogitsOf",
    "SmallCNN",
    "load_network",
    "load_weights",
    "save_network",
    "torchvision_classifier",
]
