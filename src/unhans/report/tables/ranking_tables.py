"""The ranking for the terminal and for scripts, the clusters, and the list of samples to clean."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from unhans.report.text import ranking_sentences
from unhans.store import write_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unhans.spray import ClassAudit, Suspicion


EXPLAINED = 1  # classes that stand out that get a line of their own under the table
RANKING_COLUMNS = (
    "label", "name", "n", "suspicious", "score", "lambda_2", "tau", "eigengap", "cluster_size", "control_lambda_2",
    "control_tau",
)  # fmt: skip
SUSPECT_COLUMNS = (
    "path", "index", "split", "class", "cluster", "score", "predicted_class", "rank_of_true_label",
)  # fmt: skip
MEASURES = ("score", "separation", "compactness", "relevance_consistency", "image_consistency", "normalised_cut")
CLUSTER_COLUMNS = ("rank", "class", "cluster", "n", "share", *MEASURES, "suspicious_class")
SPLITS = ("train", "validation")
CARRIERS = "proven artifact"  # in the place of a cluster's name

Row = tuple[Any, ...]


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
            f"{entry.cluster_size or '–'}/{entry.n}", _number(entry.control_lambda_2, 3), _number(entry.control_tau, 2),
        )  # fmt: skip
        table.add_row(escape(name), *cells, style="bold red" if entry.suspicious else None)
    return table


def write_ranking(
    path: str | os.PathLike[str], ranking: Sequence[Suspicion], epochs: Mapping[int, int] | None = None
) -> None:
    """Write the ranking as CSV, most suspicious class first, numbers in full; empty where nothing was measured.

    epochs: by label the epoch of each class's audit, for a column of its own.
    """
    columns = RANKING_COLUMNS if epochs is None else (*RANKING_COLUMNS, "epoch")
    rows = ([getattr(entry, name) for name in RANKING_COLUMNS] for entry in ranking)
    if epochs is not None:
        rows = ([*row, epochs.get(row[0])] for row in rows)
    write_csv(path, columns, rows)


def suspect_rows(
    audit: ClassAudit,
    suspicion: Suspicion,
    classes: Sequence[str],
    paths: Sequence[str],
    carriers: NDArray[np.bool_] | None = None,
) -> list[Row]:
    """Return the samples that are to be looked through, as rows of `SUSPECT_COLUMNS`.

    Those that carry the proven artifact of a class; where none is proven those in its striking cluster, if it stands
    out.

    Args:
        audit: the class, n samples.
        suspicion: says whether it stands out.
        classes: the name of every class, by index.
        paths: the path of every sample (n,).
        carriers: (n,) of a proven artifact, None without one.

    Returns:
        Plain values: path, index in the data set, "train" or "validation" (None where one split was audited), class,
        the cluster's name and score, predicted class, and the rank of the true label, here counted from 1.
    """
    if carriers is not None:
        return _rows(audit, carriers, (CARRIERS, None), classes, paths)
    return striking_rows(audit, classes, paths) if suspicion.suspicious else []


def striking_rows(audit: ClassAudit, classes: Sequence[str], paths: Sequence[str]) -> list[Row]:
    """Return the samples in the striking cluster of a class as rows of `SUSPECT_COLUMNS`; see `suspect_rows`."""
    if audit.cluster is None:
        return []
    return _rows(audit, audit.cluster.members, (audit.cluster.name, audit.cluster.score), classes, paths)


def _rows(
    audit: ClassAudit,
    members: NDArray[np.bool_],
    cluster: tuple[str, float | None],
    classes: Sequence[str],
    paths: Sequence[str],
) -> list[Row]:
    splits = audit.split
    return [
        (
            os.fspath(paths[i]), int(audit.index[i]), None if splits is None else SPLITS[splits[i]], audit.name,
            *cluster, classes[audit.prediction[i]], int(audit.rank[i]) + 1,
        )
        for i in members.nonzero()[0].tolist()
    ]  # fmt: skip


def cluster_rows(audit: ClassAudit, suspicion: Suspicion) -> list[Row]:
    """Return the clusters of a class as rows of `CLUSTER_COLUMNS` without the rank, in plain values; None for NaN."""
    n = len(audit.index)
    return [
        (
            audit.name, cluster.name, int(cluster.members.sum()), int(cluster.members.sum()) / n,
            *(_known(getattr(cluster, name)) for name in MEASURES), bool(suspicion.suspicious),
        )
        for cluster in audit.clusters
    ]  # fmt: skip


def write_suspects(path: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Write the cleaning list, rows of `suspect_rows` class by class, the most suspicious class first, as CSV."""
    write_csv(path, SUSPECT_COLUMNS, rows)


def write_clusters(path: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Write the clusters of all classes, rows of `cluster_rows` in any order, as CSV, the highest score first."""
    write_csv(path, CLUSTER_COLUMNS, ranked_clusters(rows))


def judged_clusters(rows: Iterable[Row], ranking: Sequence[Suspicion]) -> list[Row]:
    """Return rows of `cluster_rows` that say of each class what the ranking says: whether it is suspicious."""
    suspicious = {entry.name: bool(entry.suspicious) for entry in ranking}
    return [(*row[:-1], suspicious.get(row[0], row[-1])) for row in rows]


def ranked_clusters(rows: Iterable[Row]) -> list[Row]:
    """Return rows of `cluster_rows` with their rank before them, the highest score first."""
    score = CLUSTER_COLUMNS.index("score") - 1
    best = sorted(rows, key=lambda row: -row[score])
    return [(place, *row) for place, row in enumerate(best, 1)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _caption(ranking: Sequence[Suspicion]) -> str:
    sentences = ranking_sentences(ranking)
    left = len(sentences) - EXPLAINED
    return escape("\n".join(sentences[:EXPLAINED])) + (f"\nand {left} more {_classes(left)} out." if left > 0 else "")


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _classes(count: int) -> str:
    return "class that stands" if count == 1 else "classes that stand"
