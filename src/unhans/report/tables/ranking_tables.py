"""The ranking for the terminal and for scripts, the clusters, and the list of samples to clean."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Column, Table

from unhans.report.tables.terminal_table import Row, Rows, terminal_table
from unhans.report.text import UNKNOWN, ranking_sentences, tau_sentence
from unhans.spray import ClassAudit, Suspicion

EXTREMES = 7  # classes at each end of the order by τ
EXPLAINED = 1  # classes that stand out that get a line of their own under the table
RANKING_COLUMNS = (
    "label", "name", "n", "suspicious", "score", "lambda_2", "tau", "eigengap", "cluster_size", "control_lambda_2",
    "control_tau", "tau_clusters", "exact_neighbours",
)  # fmt: skip
SUSPECT_COLUMNS = (
    "path", "index", "split", "class", "cluster", "score", "predicted_class", "rank_of_true_label",
)  # fmt: skip
MEASURES = ("score", "separation", "compactness", "relevance_consistency", "image_consistency", "normalised_cut")
CLUSTER_COLUMNS = ("rank", "class", "cluster", "n", "share", *MEASURES, "suspicious_class")
SPLITS = ("train", "validation")
CARRIERS = "proven artifact"  # in the place of a cluster's name


def ranking_table(ranking: Sequence[Suspicion], title: str = "Classes by suspicion") -> Table:
    """Make a table of the classes for a terminal of 80 columns, most suspicious first, its meaning below in words.

    `score` is what they are ordered by, `gap` the number of clusters that the eigengap suggests, `cluster` the share of
    the striking one, `raw` the same analysis of the raw images.
    """
    numbers = ("score", "λ₂", "τ", "gap", "cluster", "λ₂ raw", "τ raw")
    table = terminal_table(title, [Column("class", no_wrap=True, max_width=20)], numbers, _caption(ranking))
    for entry in ranking:
        name = f"▶ {entry.name}" if entry.suspicious else entry.name
        cells = (
            f"{entry.score:.2f}", f"{entry.lambda_2:.3f}", f"{entry.tau:.2f}", str(entry.eigengap),
            f"{entry.cluster_size or UNKNOWN}/{entry.n}",
            _number(entry.control_lambda_2, 3), _number(entry.control_tau, 2),
        )  # fmt: skip
        table.add_row(escape(name), *cells, style="bold red" if entry.suspicious else None)
    return table


def ranking_rows(ranking: Sequence[Suspicion], epochs: Mapping[int, int] | None = None) -> Rows:
    """Return the classes in their order, numbers in full.

    epochs: by label the epoch of each class's audit, for a column of its own.
    """
    rows = [tuple(getattr(entry, name) for name in RANKING_COLUMNS) for entry in ranking]
    if epochs is None:
        return Rows(RANKING_COLUMNS, rows)
    return Rows((*RANKING_COLUMNS, "epoch"), [(*row, epochs.get(row[0])) for row in rows])


def separability_rows(ranking: Sequence[Suspicion]) -> Rows:
    """Return the seven classes with the highest τ beside the seven with the lowest, as table 1 of [000].

    Of fewer than 14 classes it is half of them on each side.
    """
    high, low = separability_ends(ranking)
    columns = (
        "place", "most_separable", "tau", "tau_clusters", "least_separable", "lowest_tau", "lowest_tau_clusters",
    )  # fmt: skip
    cells = [[(one.name, one.tau, one.tau_clusters) for one in side] for side in (high, low)]
    pairs = zip(*cells, strict=True)
    return Rows(columns, [(place, *left, *right) for place, (left, right) in enumerate(pairs, 1)])


def separability_ends(ranking: Sequence[Suspicion]) -> tuple[list[Suspicion], list[Suspicion]]:
    """Return the most separable classes, highest τ first, and the least separable ones, lowest first."""
    order = sorted(ranking, key=lambda entry: -entry.tau)
    count = min(EXTREMES, max(1, len(order) // 2))
    return order[:count], order[::-1][:count]


def suspect_rows(rows: Sequence[Row], suspicion: Suspicion) -> Sequence[Row]:
    """Return the samples of a class that are to be looked through: those of `striking_rows` that count today.

    Those that carry its proven artifact; where none is proven those in its striking cluster, if it stands out.
    """
    return [row for row in rows if suspicion.suspicious or row[SUSPECT_COLUMNS.index("cluster")] == CARRIERS]


def striking_rows(
    audit: ClassAudit,
    classes: Sequence[str],
    paths: Sequence[str],
    carriers: NDArray[np.bool_] | None = None,
) -> list[Row]:
    """Return the samples that carry the proven artifact of a class, else those in its striking cluster.

    Args:
        audit: the class, n samples.
        classes: the name of every class, by index.
        paths: the path of every sample (n,).
        carriers: (n,) of a proven artifact, None without one.

    Returns:
        Rows of `SUSPECT_COLUMNS`, plain values: path, index in the data set, "train" or "validation" (None where one
        split was audited), class, the cluster's name and score, predicted class, and the rank of the true label, here
        counted from 1.
    """
    if carriers is not None:
        return _rows(audit, carriers, (CARRIERS, None), classes, paths)
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


def ranked_clusters(rows: Iterable[Row], ranking: Sequence[Suspicion] = ()) -> Rows:
    """Return rows of `cluster_rows` in any order with their rank before them, the highest score first.

    Of each class they say what the ranking says: whether it is suspicious.
    """
    suspicious = {entry.name: bool(entry.suspicious) for entry in ranking}
    score = CLUSTER_COLUMNS.index("score") - 1
    best = enumerate(sorted(rows, key=lambda row: -row[score]), 1)
    return Rows(CLUSTER_COLUMNS, [(place, *row[:-1], suspicious.get(row[0], row[-1])) for place, row in best])


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


LEGEND = (
    "▶ stands out. score: order of the classes; λ₂: small where groups are set apart; τ: their separability; gap: "
    "suggested number of clusters; cluster: size of the striking group; raw: the same for the images alone."
)


def _caption(ranking: Sequence[Suspicion]) -> str:
    sentences = ranking_sentences(ranking)
    left = len(sentences) - EXPLAINED
    more = [f"and {left} more {'class that stands' if left == 1 else 'classes that stand'} out."] if left > 0 else []
    return "\n".join(filter(None, [*sentences[:EXPLAINED], *more, LEGEND, tau_sentence(ranking)]))


def _number(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"
