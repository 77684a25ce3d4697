"""Results about several models as rows."""

from unhans.report.tables.models.comparison_tables import (
    comparison_scalars,
    comparison_tables,
    effects_table,
    models_table,
    pairs_table,
)
from unhans.report.tables.models.decoy_tables import (
    alone_table,
    coverage_headings,
    coverage_printed,
    coverage_rows,
    decoy_headings,
    decoy_rows,
    decoy_scalars,
    decoy_table,
    decoy_tables,
)
from unhans.report.tables.models.influence_tables import (
    READING,
    InfluenceGroup,
    gradient_rows,
    gradient_table,
    influence_cells,
    influence_groups,
    influence_headings,
    influence_table,
    query_rows,
    top_rows,
)
from unhans.report.tables.models.rashomon_table import STOPPED, rashomon_rows, rashomon_table
from unhans.report.tables.models.swap_tables import swap_cells, swap_scalars, swap_table, swap_tables

__all__ = [
    "READING",
    "STOPPED",
    "InfluenceGroup",
    "alone_table",
    "comparison_scalars",
    "comparison_tables",
    "coverage_headings",
    "coverage_printed",
    "coverage_rows",
    "decoy_headings",
    "decoy_rows",
    "decoy_scalars",
    "decoy_table",
    "decoy_tables",
    "effects_table",
    "gradient_rows",
    "gradient_table",
    "influence_cells",
    "influence_groups",
    "influence_headings",
    "influence_table",
    "models_table",
    "pairs_table",
    "query_rows",
    "rashomon_rows",
    "rashomon_table",
    "swap_cells",
    "swap_scalars",
    "swap_table",
    "swap_tables",
    "top_rows",
]
