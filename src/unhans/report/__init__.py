"""What an audit found, for people: figures, tables, sentences, and the door to the loggers."""

from unhans.report.figures import Strip, class_figure, evolution_figure, evolution_sheet, ranking_figure
from unhans.report.loggers import finish, log_epoch
from unhans.report.pages import AuditPages
from unhans.report.progress import Say, progress
from unhans.report.tables import ranking_table, write_ranking, write_suspects
from unhans.report.verdict import raw_images_stand_out
from unhans.report.wandb_logger import wandb_logger

__all__ = [
    "AuditPages",
    "Say",
    "Strip",
    "class_figure",
    "evolution_figure",
    "evolution_sheet",
    "finish",
    "log_epoch",
    "progress",
    "ranking_figure",
    "ranking_table",
    "raw_images_stand_out",
    "wandb_logger",
    "write_ranking",
    "write_suspects",
]
