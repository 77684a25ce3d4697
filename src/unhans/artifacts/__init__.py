"""Artifacts as RGBA layers: plant them, take them out of images, measure what they do to a prediction.

From a cluster to a verdict lead `unhans.artifacts.isolate.isolate`, `prove`, and both, with what surrounds them,
`unhans.artifacts.examine.examine`; `decide` gives the final verdicts of all that were tested together.
"""

from unhans.artifacts.artifact import Artifact, PlacedArtifact
from unhans.artifacts.bench import Bench, Layered
from unhans.artifacts.case import Case, FeatureEffect, Share
from unhans.artifacts.discovery import decide
from unhans.artifacts.effect import Effect, flip_effect
from unhans.artifacts.frame import Border, RoundedCorners
from unhans.artifacts.isolated import Detector, Isolated, Match, NothingIsolatedError
from unhans.artifacts.paste import Paste
from unhans.artifacts.patch import Patch
from unhans.artifacts.proof import Proof, prove
from unhans.artifacts.removal import Remove
from unhans.artifacts.stripe import Stripe
from unhans.artifacts.verdict import Verdict
from unhans.artifacts.watermark import Watermark

__all__ = [
    "Artifact",
    "Bench",
    "Border",
    "Case",
    "Detector",
    "Effect",
    "FeatureEffect",
    "Isolated",
    "Layered",
    "Match",
    "NothingIsolatedError",
    "Paste",
    "Patch",
    "PlacedArtifact",
    "Proof",
    "Remove",
    "RoundedCorners",
    "Share",
    "Stripe",
    "Verdict",
    "Watermark",
    "decide",
    "flip_effect",
    "prove",
]
