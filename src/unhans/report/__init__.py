"""What an audit found, for people: figures, tables, sentences, and the door to the loggers."""

from unhans.report.conservation import conservation_figure, conservation_table, write_conservation
from unhans.report.figures import (
    Look,
    Method,
    Strip,
    class_figure,
    evolution_figure,
    evolution_sheet,
    heatmap_figure,
    mean_figure,
    output_figure,
    ranking_figure,
)
from unhans.report.heatmap_pages import HeatmapPages, Looked
from unhans.report.loggers import finish, log_epoch
from unhans.report.pages import AuditPages
from unhans.report.progress import Say, progress
from unhans.report.tables import ranking_table, write_ranking, write_suspects
from unhans.report.verdict import raw_images_stand_out
from unhans.report.wandb_logger import wandb_logger

__all__ = [
    "AuditPages",
    "HeatmapPages",
    "Look",
    "Looked",
    "Method",
    "Say",
    "Strip",
    "class_figure",
    "conservation_figure",
    "conservation_table",
    "evolution_figure",
    "evolution_sheet",
    "finish",
    "heatmap_figure",
    "log_epoch",
    "mean_figure",
    "output_figure",
    "progress",
    "ranking_figure",
    "ranking_table",
    "raw_images_stand_out",
    "wandb_logger",
    "write_conservation",
    "write_ranking",
    "write_suspects",
]
