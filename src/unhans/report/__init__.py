"""What an audit found, for people: figures, tables, sentences, and the door to the loggers."""

from unhans.report.cluster_strip import cluster_strip
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
from unhans.report.loggers import finish, log_epoch, log_once
from unhans.report.pages import AuditPages
from unhans.report.progress import Say, Stages, progress, stages
from unhans.report.ranking import Ranking
from unhans.report.tables import (
    cluster_rows,
    ranking_table,
    suspect_rows,
    write_clusters,
    write_ranking,
    write_suspects,
)
from unhans.report.verdict import ranking_sentences, raw_images_stand_out
from unhans.report.wandb_logger import wandb_logger

__all__ = [
    "AuditPages",
    "HeatmapPages",
    "Look",
    "Looked",
    "Method",
    "Ranking",
    "Say",
    "Stages",
    "Strip",
    "class_figure",
    "cluster_rows",
    "cluster_strip",
    "conservation_figure",
    "conservation_table",
    "evolution_figure",
    "evolution_sheet",
    "finish",
    "heatmap_figure",
    "log_epoch",
    "log_once",
    "mean_figure",
    "output_figure",
    "progress",
    "ranking_figure",
    "ranking_sentences",
    "ranking_table",
    "raw_images_stand_out",
    "stages",
    "suspect_rows",
    "wandb_logger",
    "write_clusters",
    "write_conservation",
    "write_ranking",
    "write_suspects",
]
