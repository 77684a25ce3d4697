"""Artifacts as RGBA layers: plant them in known samples, measure what they do to a prediction."""

from unhans.artifacts.artifact import Artifact, PlacedArtifact
from unhans.artifacts.effect import Effect, flip_effect
from unhans.artifacts.frame import Border, RoundedCorners
from unhans.artifacts.paste import Paste
from unhans.artifacts.patch import Patch
from unhans.artifacts.stripe import Stripe
from unhans.artifacts.watermark import Watermark

__all__ = [
    "Artifact",
    "Border",
    "Effect",
    "Paste",
    "Patch",
    "PlacedArtifact",
    "RoundedCorners",
    "Stripe",
    "Watermark",
    "flip_effect",
]
