"""Hydra's sweeps: a note per job, one table, one figure, one group in W&B."""

from unhans.experiment.sweep.sweep_callback import SweepSummary, end_sweeps, summarise, sweep_logger

__all__ = [
    "SweepSummary",
    "end_sweeps",
    "summarise",
    "sweep_logger",
]
