"""What is sent to W&B, TensorBoard, CSV and other loggers, in one call per epoch."""

from unhans.report.loggers.epoch_logging import Pictures, finish, log_epoch, log_once, logger_keys
from unhans.report.loggers.wandb_logger import wandb_logger

__all__ = [
    "Pictures",
    "finish",
    "log_epoch",
    "log_once",
    "logger_keys",
    "wandb_logger",
]
