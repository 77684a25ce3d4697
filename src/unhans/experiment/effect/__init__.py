"""`analysis=effect`: isolate what groups share and test whether the network uses it."""

from unhans.experiment.effect.effect_command import measure_effects
from unhans.experiment.effect.effect_options import read_artifact, read_mask

__all__ = [
    "measure_effects",
    "read_artifact",
    "read_mask",
]
