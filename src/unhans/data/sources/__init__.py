"""Data modules by where the images come from: folders, .npz archives, digits of scikit-learn, torchvision."""

from unhans.data.sources.digits import Digits
from unhans.data.sources.image_folder import ImageFolder
from unhans.data.sources.npz import Npz
from unhans.data.sources.torchvision_datasets import TorchvisionData

__all__ = [
    "Digits",
    "ImageFolder",
    "Npz",
    "TorchvisionData",
]
