"""The ranking for the terminal and for scripts, and the list of samples to clean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from unhans.report.verdict import ranking_sentences
from unhans.store.files import write_csv

if TYPE_CHECKING:
    from unhans.spray import Suspicion
    from unhans.spray.finding import ClassAudit

EXPLAINED = 3  # suspicious classes that get sentences of their own under the table
RANKING_COLUMNS = (
    "label", "name", "n", "suspicious", "score", "lambda_2", "tau", "eigengap", "cluster_size", "control_lambda_2",
    "control_tau",
)  # fmt: skip
SUSPECT_COLUMNS = ("path", "index", "class", "cluster", "predicted_class", "rank_of_true_label")


def ranking_table(ranking: Sequence[Suspicion], title: str = "Classes by suspicion") -> Table:
    """Make a table of the classes for a terminal of 80 columns, most suspicious first, its meaning below in words.

    `score` is what they are ordered by, `gap` the number of clusters that the eigengap suggests, `cluster` the share of
    the striking one, `raw` the same analysis of the raw images.
    """
    table = Table(
        title=title,
        title_justify="left",
        caption=_caption(ranking),
        caption_justify="left",
        caption_style="",
        box=SIMPLE,
        pad_edge=False,
    )
    table.add_column("class", no_wrap=True, max_width=20)
    for heading in ("score", "λ₂", "τ", "gap", "cluster", "λ₂ raw", "τ raw"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in ranking:
        name = f"▶ {entry.name}" if entry.suspicious else entry.name
        cells = (
            f"{entry.score:.2f}", f"{entry.lambda_2:.3f}", f"{entry.tau:.2f}", str(entry.eigengap),
            f"{entry.cluster_size}/{entry.n}", _number(entry.control_lambda_2, 3), _number(entry.control_tau, 2),
        )  # fmt: skip
        table.add_row(escape(name), *cells, style="bold red" if entry.suspicious else None)
    return table


def write_ranking(path: str | os.PathLike[str], ranking: Sequence[Suspicion]) -> None:
    """Write the ranking as CSV, most suspicious class first, numbers in full; empty where nothing was measured."""
    write_csv(path, RANKING_COLUMNS, ([getattr(entry, name) for name in RANKING_COLUMNS] for entry in ranking))


def write_suspects(
    path: str | os.PathLike[str],
    ranking: Sequence[Suspicion],
    audits: Sequence[ClassAudit],
    classes: Sequence[str],
    sample_path: Callable[[int], str | os.PathLike[str]],
) -> None:
    """Write the cleaning list: every sample in the striking cluster of a suspicious class, as CSV.

    Its columns are path, index in the data set, class, cluster ("1 of 4": label and number of clusters), predicted
    class and rank of the true label, here counted from 1.

    Args:
        path: the file.
        ranking: gives the order of the classes and says which are suspicious.
        audits: the audits of these classes; others are left out.
        classes: the name of every class, by index.
        sample_path: gives a sample's path from its index.
    """
    found = {audit.label: audit for audit in audits}
    chosen = [found[entry.label] for entry in ranking if entry.suspicious and entry.label in found]
    write_csv(path, SUSPECT_COLUMNS, (row for audit in chosen for row in _suspects(audit, classes, sample_path)))


def _suspects(
    audit: ClassAudit, classes: Sequence[str], sample_path: Callable[[int], str | os.PathLike[str]]
) -> Iterator[tuple[Any, ...]]:
    if audit.cluster is None:
        return
    cluster = f"{audit.cluster.label} of {audit.cluster.k}"
    for i in audit.cluster.members.nonzero()[0]:
        index = int(audit.index[i])
        predicted = classes[audit.prediction[i]]
        yield os.fspath(sample_path(index)), index, audit.name, cluster, predicted, int(audit.rank[i]) + 1


def _caption(ranking: Sequence[Suspicion]) -> str:
    sentences = ranking_sentences(ranking)
    left = len(sentences) - EXPLAINED
    return escape("\n".join(sentences[:EXPLAINED])) + (f"\nand {left} more suspicious classes." if left > 0 else "")


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
