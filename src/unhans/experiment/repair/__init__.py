"""`analysis=repair` and `train.py repair=…`: repair a network by several methods and compare them."""

from unhans.experiment.repair.fine_tuning import (
    FineTuning,
    accelerator_of,
    fine_tuning_of,
    fit,
    forget,
    images_key,
    several_processes,
)
from unhans.experiment.repair.repair_command import numbers_of, repair, report_repairs, train_and_repair
from unhans.experiment.repair.repair_methods import repair_network
from unhans.experiment.repair.repair_task import RepairOptions, RepairTask
from unhans.experiment.repair.repaired_artifact import affected_by_case, affected_of
from unhans.experiment.repair.stored_networks import copies_of

__all__ = [
    "FineTuning",
    "RepairOptions",
    "RepairTask",
    "accelerator_of",
    "affected_by_case",
    "affected_of",
    "copies_of",
    "fine_tuning_of",
    "fit",
    "forget",
    "images_key",
    "numbers_of",
    "repair",
    "repair_network",
    "report_repairs",
    "several_processes",
    "train_and_repair",
]
