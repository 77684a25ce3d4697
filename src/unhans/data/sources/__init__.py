"""Lightning's data modules by where the images come from: folders, tables, archives, digits, torchvision.

Their base is `ImageData`. Nothing else in `unhans.data` imports Lightning, which takes seconds.
"""

from unhans.data.sources.array_data import ColouredDigits, Digits, Npz
from unhans.data.sources.datamodule import ImageData
from unhans.data.sources.image_files import ImageFolder, TorchvisionData, image_files
from unhans.data.sources.image_table import ImageTable
from unhans.data.sources.label_table import LabelTable

__all__ = [
    "ColouredDigits",
    "Digits",
    "ImageData",
    "ImageFolder",
    "ImageTable",
    "LabelTable",
    "Npz",
    "TorchvisionData",
    "image_files",
]
