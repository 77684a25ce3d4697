"""What an artifact is: what it looks like, how it is put on images, and how it is taken off.

Artifacts that a data set plants (`shapes`), RGBA layers laid over images (`overlay`), changes of whole images
(`transforms`), painting over what lay under a layer (`inpainting`), making images square (`squaring`). How an artifact
is found is in `unhans.isolation`, what it does to a network in `unhans.effects`.
"""

from unhans.artifacts.artifact import (
    Artifact,
    Layered,
    PlacedArtifact,
    can_be_put_on,
    check_fits,
    check_part,
    covered_by,
    epoch_seed,
    is_whole,
    layers_of,
    place,
    put_on,
    redrawn,
    transform_of,
)
from unhans.artifacts.hand_places import HandPlace, HandPlaced
from unhans.artifacts.inpainting import PAINTERS, Material, Remove, check_fill, check_mask, dilated, margin, rim_of
from unhans.artifacts.overlay import Paste, Placement, blend, check_layer, covered, on_canvas
from unhans.artifacts.shapes import Border, Patch, RoundedCorners, Stripe, Watermark
from unhans.artifacts.squaring import (
    ORIENTATIONS,
    WAYS,
    EdgePadding,
    Orientation,
    Rgb,
    Squaring,
    Way,
    check_aspect,
    orientation,
    rgb,
    window,
)
from unhans.artifacts.transforms import BLOCK, HIGHEST, KNOTS, ChannelMap, Field, Jpeg, Spectrum, Transform, frequencies

__all__ = [
    "BLOCK",
    "HIGHEST",
    "KNOTS",
    "ORIENTATIONS",
    "PAINTERS",
    "WAYS",
    "Artifact",
    "Border",
    "ChannelMap",
    "EdgePadding",
    "Field",
    "HandPlace",
    "HandPlaced",
    "Jpeg",
    "Layered",
    "Material",
    "Orientation",
    "Paste",
    "Patch",
    "PlacedArtifact",
    "Placement",
    "Remove",
    "Rgb",
    "RoundedCorners",
    "Spectrum",
    "Squaring",
    "Stripe",
    "Transform",
    "Watermark",
    "Way",
    "blend",
    "can_be_put_on",
    "check_aspect",
    "check_fill",
    "check_fits",
    "check_layer",
    "check_mask",
    "check_part",
    "covered",
    "covered_by",
    "dilated",
    "epoch_seed",
    "frequencies",
    "is_whole",
    "layers_of",
    "margin",
    "on_canvas",
    "orientation",
    "place",
    "put_on",
    "redrawn",
    "rgb",
    "rim_of",
    "transform_of",
    "window",
]
