"""What an audit found, for people: figures, tables, sentences, and the door to the loggers."""

from unhans.report.account import (
    case_sentences,
    change_said,
    leading,
    listed,
    missing_of,
    reason_of,
    spread_sentences,
    state_of,
)
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
from unhans.report.evolution_file import Evolution, evolution_pairs, load_evolution, save_evolution
from unhans.report.evolution_pair import Pair, evolution_pair_figure
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
from unhans.report.parallel_figure import parallel_figure
from unhans.report.progress import Say, Stages, progress, stages
from unhans.report.proof_figure import proof_figure
from unhans.report.ranking import Ranking
from unhans.report.relevance_curves import relevance_figure
from unhans.report.repair_csv import (
    REPAIR_COLUMNS,
    RUN_COLUMNS,
    repair_rows,
    repair_scalars,
    run_rows,
    write_repair_runs,
    write_repairs,
)
from unhans.report.repair_figure import repair_figure
from unhans.report.repair_log import log_repairs
from unhans.report.repair_rows import Summary, summaries
from unhans.report.repair_sentences import Named, repair_sentences
from unhans.report.repair_table import repair_table
from unhans.report.repaired import METHOD_NAMES
from unhans.report.table_two import (
    TABLE_TWO_COLUMNS,
    has_table_two,
    pattern_sentences,
    table_two,
    table_two_rows,
    write_table_two,
)
from unhans.report.tables import (
    cluster_rows,
    ranking_table,
    striking_rows,
    suspect_rows,
    write_clusters,
    write_ranking,
    write_suspects,
)
from unhans.report.trade_off import trade_off_figure
from unhans.report.verdict import ranking_sentences, raw_images_stand_out
from unhans.report.wandb_logger import wandb_logger

__all__ = [
    "CASE_COLUMNS",
    "EFFECT_COLUMNS",
    "METHOD_NAMES",
    "REPAIR_COLUMNS",
    "RUN_COLUMNS",
    "TABLE_TWO_COLUMNS",
    "AuditPages",
    "Evolution",
    "HeatmapPages",
    "Look",
    "Looked",
    "Method",
    "Named",
    "Pair",
    "Ranking",
    "Say",
    "Stages",
    "Strip",
    "Summary",
    "case_record",
    "case_rows",
    "case_sentences",
    "change_said",
    "class_figure",
    "cluster_rows",
    "cluster_strip",
    "conservation_figure",
    "conservation_table",
    "effect_figure",
    "effect_rows",
    "effect_tables",
    "evolution_figure",
    "evolution_pair_figure",
    "evolution_pairs",
    "evolution_sheet",
    "finish",
    "has_table_two",
    "heatmap_figure",
    "layer_figure",
    "leading",
    "listed",
    "load_evolution",
    "log_epoch",
    "log_once",
    "log_repairs",
    "mean_figure",
    "missing_of",
    "monitor_figure",
    "output_figure",
    "parallel_figure",
    "pattern_sentences",
    "progress",
    "proof_figure",
    "ranking_figure",
    "ranking_sentences",
    "ranking_table",
    "raw_images_stand_out",
    "reason_of",
    "relevance_figure",
    "repair_figure",
    "repair_rows",
    "repair_scalars",
    "repair_sentences",
    "repair_table",
    "run_rows",
    "save_evolution",
    "spread_sentences",
    "stages",
    "state_of",
    "striking_rows",
    "summaries",
    "suspect_rows",
    "table_two",
    "table_two_rows",
    "trade_off_figure",
    "wandb_logger",
    "write_case",
    "write_cases",
    "write_clusters",
    "write_conservation",
    "write_effects",
    "write_ranking",
    "write_repair_runs",
    "write_repairs",
    "write_suspects",
    "write_table_two",
]
