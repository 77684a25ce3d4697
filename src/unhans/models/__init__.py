"""Networks and the LightningModule that trains them."""

from unhans.models.classifier import Classifier, load_weights
from unhans.models.networks import SmallCNN, torchvision_classifier

__all__ = ["Classifier", "SmallCNN", "load_weights", "torchvision_classifier"]
