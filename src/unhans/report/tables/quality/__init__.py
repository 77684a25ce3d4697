"""Measures of heatmaps as rows."""

from unhans.report.tables.quality.epoch_tables import epoch_rows
from unhans.report.tables.quality.faithfulness_tables import (
    class_rows,
    class_summaries,
    curve_rows,
    faithfulness_cells,
    faithfulness_headings,
    faithfulness_table,
    image_rows,
    measure_cells,
    method_rows,
    sanity_rows,
)

__all__ = [
    "class_rows",
    "class_summaries",
    "curve_rows",
    "epoch_rows",
    "faithfulness_cells",
    "faithfulness_headings",
    "faithfulness_table",
    "image_rows",
    "measure_cells",
    "method_rows",
    "sanity_rows",
]
