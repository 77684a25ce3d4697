"""`analysis=swap`: what does it cost to be tested on images that are prepared otherwise than those of the training?"""

from unhans.experiment.swap.swap_command import swap_preprocessing
from unhans.experiment.swap.swap_variants import SwapNetwork, swap_networks

__all__ = [
    "SwapNetwork",
    "swap_networks",
    "swap_preprocessing",
]
