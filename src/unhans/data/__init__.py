"""Images with labels: anybody's data sets read in one way, and data modules that plant artifacts.

`adapters` and `reading` understand data sets and batches of others; `ImageDataset` and `ImageData` are ours;
`unhans.data.sources` reads folders, archives and torchvision. What joins data, a network and an artifact is in
`unhans.harness`.
"""

from unhans.data.adapters import Key, adapted, class_names_of, parts_of
from unhans.data.batch import check_images, check_whole, first_image, training_set
from unhans.data.cleaning_list import Listed, listed_rows, read_listed, remaining
from unhans.data.datamodule import ImageData
from unhans.data.dataset import Batch, ImageDataset, Sample, Union, collate
from unhans.data.display import Shown
from unhans.data.image_io import UnreadableImageError, native_mask, to_tensor
from unhans.data.image_list import Arrays, Collection, Files
from unhans.data.normalization import SAMPLES, PixelScale, laid, pixel_scale, scale_of
from unhans.data.preprocessing import Preprocessing
from unhans.data.reading import (
    carriers_of,
    displayed,
    draw_per_class,
    fingerprint_of,
    has_several,
    labels_of,
    names_of,
    own_index_of,
    paths_of,
    read_batches,
    read_samples,
    splits_of,
    without_augmentation,
    without_class,
)
from unhans.data.sources import Digits, ImageFolder, Npz, TorchvisionData

__all__ = [
    "SAMPLES",
    "Arrays",
    "Batch",
    "Collection",
    "Digits",
    "Files",
    "ImageData",
    "ImageDataset",
    "ImageFolder",
    "Key",
    "Listed",
    "Npz",
    "PixelScale",
    "Preprocessing",
    "Sample",
    "Shown",
    "TorchvisionData",
    "Union",
    "UnreadableImageError",
    "adapted",
    "carriers_of",
    "check_images",
    "check_whole",
    "class_names_of",
    "collate",
    "displayed",
    "draw_per_class",
    "fingerprint_of",
    "first_image",
    "has_several",
    "labels_of",
    "laid",
    "listed_rows",
    "names_of",
    "native_mask",
    "own_index_of",
    "parts_of",
    "paths_of",
    "pixel_scale",
    "read_batches",
    "read_listed",
    "read_samples",
    "remaining",
    "scale_of",
    "splits_of",
    "to_tensor",
    "training_set",
    "without_augmentation",
    "without_class",
]
