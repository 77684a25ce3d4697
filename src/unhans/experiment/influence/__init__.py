"""`analysis=influence`: which training images taught the network what it does."""

from unhans.experiment.influence.influence_command import measure_influence
from unhans.experiment.influence.influence_samples import influence_samples

__all__ = [
    "influence_samples",
    "measure_influence",
]
