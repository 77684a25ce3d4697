"""Lightning's data modules by where the images come from: folders, .npz archives, digits of scikit-learn, torchvision.

Their base is `ImageData`. Nothing else in `unhans.data` imports Lightning, which takes seconds.
"""

from unhans.data.sources.array_data import Digits, Npz
from unhans.data.sources.datamodule import ImageData
from unhans.data.sources.image_files import ImageFolder, TorchvisionData, image_files

__all__ = [
    "Digits",
    "ImageData",
    "ImageFolder",
    "Npz",
    "TorchvisionData",
    "image_files",
]
