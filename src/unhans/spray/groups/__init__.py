"""Which samples of a class may share an artifact: groups in heatmaps, in layers, in pixels and statistics of images."""

from unhans.spray.groups.constant_colours import MARK, ColourFilter, colour_filter
from unhans.spray.groups.image_groups import ImageDescriptors, image_groups, split
from unhans.spray.groups.view_groups import SAME, Group, groups_of, jaccard, k_means, smallest_group
from unhans.spray.groups.views import raw_pixels, views_of

__all__ = [
    "MARK",
    "SAME",
    "ColourFilter",
    "Group",
    "ImageDescriptors",
    "colour_filter",
    "groups_of",
    "image_groups",
    "jaccard",
    "k_means",
    "raw_pixels",
    "smallest_group",
    "split",
    "views_of",
]
