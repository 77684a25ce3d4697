"""`analysis=stability`: how much of what SpRAy finds depends on its settings?"""

from unhans.experiment.stability.stability_command import measure_stability

__all__ = ["measure_stability"]
