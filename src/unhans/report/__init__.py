"""What an audit found, for people: figures, tables, sentences, and the door to the loggers."""

from unhans.report.account import case_sentences, spread_sentences, state_of
from unhans.report.case_figures import write_case
from unhans.report.case_record import case_record, write_cases
from unhans.report.cluster_strip import cluster_strip
from unhans.report.conservation import conservation_figure, conservation_table, write_conservation
from unhans.report.effect_curves import monitor_figure
from unhans.report.effect_figure import effect_figure
from unhans.report.effect_tables import (
    CASE_COLUMNS,
    EFFECT_COLUMNS,
    case_rows,
    effect_rows,
    effect_tables,
    write_effects,
)
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
from unhans.report.layer_figure import layer_figure
from unhans.report.loggers import finish, log_epoch, log_once
from unhans.report.pages import AuditPages
from unhans.report.progress import Say, Stages, progress, stages
from unhans.report.proof_figure import proof_figure
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
    "CASE_COLUMNS",
    "EFFECT_COLUMNS",
    "AuditPages",
    "HeatmapPages",
    "Look",
    "Looked",
    "Method",
    "Ranking",
    "Say",
    "Stages",
    "Strip",
    "case_record",
    "case_rows",
    "case_sentences",
    "class_figure",
    "cluster_rows",
    "cluster_strip",
    "conservation_figure",
    "conservation_table",
    "effect_figure",
    "effect_rows",
    "effect_tables",
    "evolution_figure",
    "evolution_sheet",
    "finish",
    "heatmap_figure",
    "layer_figure",
    "log_epoch",
    "log_once",
    "mean_figure",
    "monitor_figure",
    "output_figure",
    "progress",
    "proof_figure",
    "ranking_figure",
    "ranking_sentences",
    "ranking_table",
    "raw_images_stand_out",
    "spread_sentences",
    "stages",
    "state_of",
    "suspect_rows",
    "wandb_logger",
    "write_case",
    "write_cases",
    "write_clusters",
    "write_conservation",
    "write_effects",
    "write_ranking",
    "write_suspects",
]
