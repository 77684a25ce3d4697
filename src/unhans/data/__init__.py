"""Images with labels: anybody's data sets read in one way, and ours, which plants artifacts.

`adapters`, `batch` and `reading` understand data sets and batches of others; `ImageDataset` is ours, and
`unhans.data.sources` makes it of folders, archives and torchvision. What joins data, a network and an artifact is in
`unhans.harness`.
"""

from unhans.data.adapters import adapt, first_image, is_map_style, samples_in, without_augmentation
from unhans.data.box_files import read_boxes, read_masks
from unhans.data.cleaning_list import CleaningList, read_cleaning_list
from unhans.data.dataset import Batch, ImageDataset, LabelVectors, Sample, TrainValUnion, collate
from unhans.data.image_io import (
    DEGRADATIONS,
    Preprocessing,
    UnreadableImageError,
    check_degradation,
    degrade,
    native_mask,
    read_rgb,
    size_of,
    to_tensor,
)
from unhans.data.image_list import Arrays, Collection, Files, SeveralLabels
from unhans.data.items import Key, check_images, class_names_of, parts_of
from unhans.data.normalization import PixelScale, paste_artifact, pixel_scale
from unhans.data.object_boxes import ImageObjects, ObjectFile, names_in, native_size, object_region
from unhans.data.reading import (
    DisplayedImages,
    carriers_of,
    display_images,
    draw_per_class,
    entries_at,
    fingerprint_of,
    has_several,
    labels_of,
    names_of,
    once,
    own_index_of,
    paths_of,
    read_batches,
    read_samples,
    rows_of,
    splits_of,
    without_class,
)
from unhans.data.sample_groups import SampleGroups, read_groups_table
from unhans.data.table_file import read_table

__all__ = [
    "DEGRADATIONS",
    "Arrays",
    "Batch",
    "CleaningList",
    "Collection",
    "DisplayedImages",
    "Files",
    "ImageDataset",
    "ImageObjects",
    "Key",
    "LabelVectors",
    "ObjectFile",
    "PixelScale",
    "Preprocessing",
    "Sample",
    "SampleGroups",
    "SeveralLabels",
    "TrainValUnion",
    "UnreadableImageError",
    "adapt",
    "carriers_of",
    "check_degradation",
    "check_images",
    "class_names_of",
    "collate",
    "degrade",
    "display_images",
    "draw_per_class",
    "entries_at",
    "fingerprint_of",
    "first_image",
    "has_several",
    "is_map_style",
    "labels_of",
    "names_in",
    "names_of",
    "native_mask",
    "native_size",
    "object_region",
    "once",
    "own_index_of",
    "parts_of",
    "paste_artifact",
    "paths_of",
    "pixel_scale",
    "read_batches",
    "read_boxes",
    "read_cleaning_list",
    "read_groups_table",
    "read_masks",
    "read_rgb",
    "read_samples",
    "read_table",
    "rows_of",
    "samples_in",
    "size_of",
    "splits_of",
    "to_tensor",
    "without_augmentation",
    "without_class",
]
