"""Measures of heatmaps, and accuracy in groups, as rows."""

from unhans.report.tables.quality.context_tables import (
    CONTEXT_HEADINGS,
    by_context,
    co_occurrence_rows,
    co_occurrence_table,
    context_cells,
    context_class_rows,
    context_image_rows,
    context_rows,
    context_table,
    difference_rows,
    highest_first,
)
from unhans.report.tables.quality.epoch_tables import epoch_rows, epoch_table
from unhans.report.tables.quality.faithfulness_tables import (
    class_rows,
    class_summaries,
    curve_rows,
    faithfulness_cells,
    faithfulness_headings,
    faithfulness_table,
    image_rows,
    label_rows,
    measure_cells,
    method_rows,
    sanity_rows,
)
from unhans.report.tables.quality.group_tables import (
    group_effect_rows,
    group_effect_table,
    group_rows,
    group_table,
)
from unhans.report.tables.quality.input_shift_table import input_shift_rows, input_shift_table
from unhans.report.tables.quality.pair_tables import PAIR_HEADINGS, pair_cells, pair_effect_rows, pair_table
from unhans.report.tables.quality.stability_tables import fit_rows, holding_rows, setting_rows, stability_table

__all__ = [
    "CONTEXT_HEADINGS",
    "PAIR_HEADINGS",
    "by_context",
    "class_rows",
    "class_summaries",
    "co_occurrence_rows",
    "co_occurrence_table",
    "context_cells",
    "context_class_rows",
    "context_image_rows",
    "context_rows",
    "context_table",
    "curve_rows",
    "difference_rows",
    "epoch_rows",
    "epoch_table",
    "faithfulness_cells",
    "faithfulness_headings",
    "faithfulness_table",
    "fit_rows",
    "group_effect_rows",
    "group_effect_table",
    "group_rows",
    "group_table",
    "highest_first",
    "holding_rows",
    "image_rows",
    "input_shift_rows",
    "input_shift_table",
    "label_rows",
    "measure_cells",
    "method_rows",
    "pair_cells",
    "pair_effect_rows",
    "pair_table",
    "sanity_rows",
    "setting_rows",
    "stability_table",
]
