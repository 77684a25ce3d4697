"""`analysis=pairs`: what do changes do that a person made to pictures? Pairs of a picture before and after."""

from unhans.experiment.pairs.pairs_command import measure_pairs

__all__ = [
    "measure_pairs",
]
