"""Images with a stable index and path, as Lightning data modules."""

from unhans.data.benches import Planted, bench_of, planted_in, true_images
from unhans.data.collection import Collection
from unhans.data.dataset import ImageDataset
from unhans.data.digits import Digits
from unhans.data.folder import ImageFolder
from unhans.data.module import ImageData
from unhans.data.npz import Npz
from unhans.data.picture import UnreadableImageError
from unhans.data.preprocessing import Preprocessing
from unhans.data.sample import Batch, Sample, collate
from unhans.data.scale import PixelScale, pixel_scale
from unhans.data.source import Arrays, Files
from unhans.data.torchvision_data import TorchvisionData
from unhans.data.union import Union

__all__ = [
    "Arrays",
    "Batch",
    "Collection",
    "Digits",
    "Files",
    "ImageData",
    "ImageDataset",
    "ImageFolder",
    "Npz",
    "PixelScale",
    "Planted",
    "Preprocessing",
    "Sample",
    "TorchvisionData",
    "Union",
    "UnreadableImageError",
    "bench_of",
    "collate",
    "pixel_scale",
    "planted_in",
    "true_images",
]
