"""Networks on images prepared in several ways, as rows: for the terminal, pages, files and loggers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Column, Table

from unhans.comparison import SwapCell, SwapCost, SwapStudy
from unhans.report.tables.terminal_table import Row, Rows, terminal_table
from unhans.report.text import percent, range_written
from unhans.report.text.models import ONE_OFF, SWAP_READING, cost_said, share_and_interval
from unhans.stats import Estimate

ANOTHER = "another class"  # that is not asked about
COST = ("cost", "cost_low", "cost_high", "p")


def swap_table(study: SwapStudy) -> Table:
    """Return trained-on × tested-on for the terminal, a line for each, so that it fits 80 columns."""
    columns = [Column("trained on", overflow="fold"), Column("tested on", overflow="fold")]
    ordered = study.order is not None
    table = terminal_table(
        "Accuracy by preprocessing", columns, ["accuracy", *([ONE_OFF] if ordered else []), "change"]
    )
    for cell in study.cells:
        shares = [cell.accuracy, *([cell.one_off] if ordered else [])]
        numbers = ["\n".join(share_and_interval(one)) for one in shares]
        change = "" if cell.cost is None else cost_said(cell.cost).replace(" [", "\n[").replace(", p", "\np")
        table.add_row(escape(f"{cell.row.trained or '?'} ({cell.row.name})"), escape(cell.tested), *numbers, change)
    table.caption = escape(SWAP_READING)
    return table


def swap_cells(cell: SwapCell) -> list[tuple[str, str]]:
    """Return what stands in a cell of the page's matrix: accuracy, one-off accuracy and cost, with intervals."""
    found = [share_and_interval(cell.accuracy)]
    if cell.one_off is not None:
        found.append((f"{ONE_OFF} {percent(cell.one_off.mean)}", range_written(cell.one_off.interval)))
    return [*found, *([(cost_said(cell.cost), "")] if cell.cost is not None else [])]


def swap_tables(study: SwapStudy) -> dict[str, Rows]:
    """Return all tables by the name of their file."""
    head = ["networks", "models", "trained_on", "tested_on", "paired"]
    ends = ["accuracy", "accuracy_low", "accuracy_high"]
    off = ["one_off", "one_off_low", "one_off_high"] if study.order is not None else []
    off_cost = [f"one_off_{name}" for name in COST] if off else []
    columns = [*head, "n", *ends, *COST, "only_own", "only_other", *off, *off_cost]
    counts = [(cell, study.confusion(cell)) for cell in study.cells]
    taken = ["class", "predicted", "n", "share"]
    return {
        "confusion": Rows([*head, *taken], [row for each in counts for row in _taken(study, *each)]),
        "swap": Rows(columns, [_row(study, cell) for cell in study.cells]),
        "classes": Rows([*head, "class", "n", *ends], [row for cell in study.cells for row in _classes(study, cell)]),
    }


def _head(study: SwapStudy, cell: SwapCell) -> Row:
    trained = cell.row.trained
    paired = None if trained is None else study.images[trained].paired and study.images[cell.tested].paired
    return cell.row.name, " ".join(cell.row.models), trained, cell.tested, paired


def _row(study: SwapStudy, cell: SwapCell) -> Row:
    own = (None, None) if cell.cost is None else (cell.cost.only_own, cell.cost.only_other)
    off = () if cell.one_off is None else (*_ends(cell.one_off), *_cost(cell.one_off_cost))
    return (*_head(study, cell), cell.accuracy.n, *_ends(cell.accuracy), *_cost(cell.cost), *own, *off)


def _ends(one: Estimate) -> Row:
    return one.mean, *one.interval


def _cost(cost: SwapCost | None) -> Row:
    return (None,) * 4 if cost is None else (*_ends(cost.difference), cost.p)


def _classes(study: SwapStudy, cell: SwapCell) -> Iterator[Row]:
    for name, one in cell.by_class.items():
        yield (*_head(study, cell), name, one.n, *_ends(one))


def _taken(study: SwapStudy, cell: SwapCell, counts: NDArray[np.int64]) -> Iterator[Row]:
    """A row for every class and what its images are taken for, where that happens."""
    names = [*study.classes, ANOTHER]
    for label, predicted in np.argwhere(counts):
        n = int(counts[label, predicted])
        yield (*_head(study, cell), names[label], names[predicted], n, n / counts[label].sum())


def swap_scalars(study: SwapStudy) -> dict[str, float]:
    """Return the numbers of every cell, and the largest cost."""
    found = {}
    for cell in study.cells:
        name = f"swap/{cell.row.name}/{cell.tested}"
        found[f"{name}/accuracy"] = cell.accuracy.mean
        if cell.one_off is not None:
            found[f"{name}/one_off"] = cell.one_off.mean
        if cell.cost is not None:
            found[f"{name}/cost"] = cell.cost.difference.mean
    if study.swaps:
        found["swap/largest_cost"] = max(cell.cost.difference.mean for cell in study.swaps)
    return found
