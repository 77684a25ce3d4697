"""What a comparison of repairs sends to the loggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unhans.report.loggers import Pictures, log_once
from unhans.report.repair_csv import REPAIR_COLUMNS, RUN_COLUMNS, repair_rows, repair_scalars, run_rows
from unhans.report.repaired import OutcomeLike
from unhans.report.table_two import TABLE_TWO_COLUMNS, has_table_two, table_two_rows

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger


def log_repairs(
    loggers: Sequence[Logger], outcomes: Sequence[OutcomeLike], figures: Mapping[str, Pictures] | None = None
) -> None:
    """Send the comparison of repairs to every logger at once: means over seeds, tables, and figures by key.

    Scalars are `repair/<method>/<number>`; tables `repair/methods`, `repair/runs` and, where both its rows are there,
    `repair/table_two`. Raises ValueError where there is no outcome.
    """
    tables = {
        "repair/methods": (REPAIR_COLUMNS, repair_rows(outcomes)),
        "repair/runs": (RUN_COLUMNS, run_rows(outcomes)),
    }
    if has_table_two(outcomes):
        tables["repair/table_two"] = (TABLE_TWO_COLUMNS, table_two_rows(outcomes))
    log_once(loggers, repair_scalars(outcomes), figures, tables)
