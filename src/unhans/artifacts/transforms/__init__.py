"""Artifacts that lie on whole images: curves of colour, fields, spectra, JPEG blocks."""

from unhans.artifacts.transforms.channel_map import ChannelMap
from unhans.artifacts.transforms.field import Field
from unhans.artifacts.transforms.jpeg import BLOCK, Jpeg
from unhans.artifacts.transforms.spectrum import HIGHEST, KNOTS, Spectrum, frequencies
from unhans.artifacts.transforms.transform import Transform, transform_from, transform_record

__all__ = [
    "BLOCK",
    "HIGHEST",
    "KNOTS",
    "ChannelMap",
    "Field",
    "Jpeg",
    "Spectrum",
    "Transform",
    "frequencies",
    "transform_from",
    "transform_record",
]
