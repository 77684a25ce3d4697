"""Influence of training images: tables of queries, of what lies first, and of clusters of gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from rich.markup import escape
from rich.table import Column, Table

from unhans.influence import GradientClusters, QueryInfluence, Training
from unhans.report.tables.ranking_tables import SPLITS
from unhans.report.tables.terminal_table import Row, Rows, terminal_table
from unhans.report.text import UNKNOWN, percent
from unhans.report.text.models import group_name

QUERY_COLUMNS = (
    "path", "index", "split", "class", "predicted_class", "carries", "average_precision", "chance_of_class",
    "chance_overall",
)  # fmt: skip
TOP_COLUMNS = ("query", "query_class", "rank", "path", "index", "class", "score", "carries")
GRADIENT_COLUMNS = ("class", "layers", "cluster", "with", "without", "precision", "recall", "adjusted_rand")


class InfluenceGroup(NamedTuple):
    """Queries of one class and kind: how many, and medians of what their rankings tell.

    Attributes:
        name: of the class, one that no other class has.
        kind: which queries.
        n: how many.
        precision, agreement: by k.
        average_precision: NaN where no carrier is known.
        chance_of_class, chance_overall: shares that a random order finds; NaN where no carrier is known.
    """

    name: str
    kind: str
    n: int
    precision: dict[int, float]
    average_precision: float
    chance_of_class: float
    chance_overall: float
    agreement: dict[int, float]


def influence_groups(queries: Iterable[QueryInfluence], names: Mapping[int, str]) -> list[InfluenceGroup]:
    """Return the groups of queries, class by class; names: of each class another one."""
    found: dict[tuple[str, str], list[QueryInfluence]] = {}
    for one in queries:
        found.setdefault((names[one.label], group_name(one)), []).append(one)
    return [InfluenceGroup(*key, len(group), **_medians(group)) for key, group in found.items()]


def _medians(group: Sequence[QueryInfluence]) -> dict:
    def median(values: Iterable[float]) -> float:
        return float(np.median(list(values)))

    unknown = float("nan")
    return {
        "precision": {k: median(one.precision[k] for one in group) for k in group[0].precision},
        "average_precision": median(one.average_precision for one in group),
        "chance_of_class": median(one.chance.of_class if one.chance else unknown for one in group),
        "chance_overall": median(one.chance.overall if one.chance else unknown for one in group),
        "agreement": {k: median(one.agreement[k] for one in group) for k in group[0].agreement},
    }


def influence_headings(groups: Sequence[InfluenceGroup]) -> list[str]:
    """Return the headings of the numbers that `influence_cells` gives."""
    counts = list(groups[0].agreement)
    known = [*(f"P@{k}" for k in counts), "AP", "chance"] if any(one.precision for one in groups) else []
    return ["n", *known, f"class@{counts[0]}"]


def influence_cells(group: InfluenceGroup, headings: Sequence[str]) -> list[str]:
    """Return the numbers of a group as text; chance levels are those of the class and of all training images."""
    cells = {f"P@{k}": percent(value, 0) for k, value in group.precision.items()}
    if group.precision:
        cells |= {"AP": f"{group.average_precision:.2f}"}
        cells |= {"chance": f"{100 * group.chance_of_class:.0f} / {percent(group.chance_overall, 0)}"}
    cells |= {f"class@{k}": percent(value, 0) for k, value in group.agreement.items()} | {"n": str(group.n)}
    return [cells.get(heading, UNKNOWN) for heading in headings]


READING = (
    "Medians over queries. P@k: share of the artifact's carriers among the k most influential training images; "
    "AP: average precision; chance: what a random order finds, in the class / in all; class@k: share of "
    "the query's own class."
)


def influence_table(groups: Sequence[InfluenceGroup]) -> Table:
    """Make a table of the groups for a terminal of 80 columns."""
    headings = influence_headings(groups)
    words = [Column("class", no_wrap=True, max_width=14), Column("queries", max_width=22)]
    table = terminal_table("What the most influential training images are", words, headings, READING)
    for group in groups:
        table.add_row(escape(group.name), group.kind, *influence_cells(group, headings))
    return table


def query_rows(
    queries: Sequence[QueryInfluence], classes: Sequence[str], paths: Sequence[str], own: Sequence[int]
) -> Rows:
    """Return a row for every query; own: the index of every image in its own split."""
    counts = list(queries[0].agreement)
    columns = (*QUERY_COLUMNS, *(f"precision_at_{k}" for k in counts), *(f"same_class_at_{k}" for k in counts))
    rows = [
        (
            paths[one.index], int(own[one.index]), SPLITS[not one.trained], classes[one.label], classes[one.predicted],
            one.carries, _known(one.average_precision), *(one.chance or (None, None)),
            *(one.precision.get(k) for k in counts), *(one.agreement[k] for k in counts),
        )
        for one in queries
    ]  # fmt: skip
    return Rows(columns, rows)


def top_rows(
    queries: Iterable[QueryInfluence], training: Training, classes: Sequence[str], paths: Sequence[str], count: int
) -> Rows:
    """Return the most influential training images of every query, at most so many of each."""
    rows: list[Row] = []
    for one in queries:
        for place, row in enumerate(one.order[:count].tolist()):
            index, label = int(training.index[row]), int(training.labels[row])
            carries = None if training.carriers is None else bool(training.carriers[row])
            rows.append((
                paths[one.index], classes[one.label], place + 1, paths[index], index, classes[label],
                float(one.scores[place]), carries,
            ))  # fmt: skip
    return Rows(TOP_COLUMNS, rows)


def gradient_rows(found: Mapping[str, Sequence[GradientClusters]]) -> Rows:
    """Return two rows, one for each cluster, for every class and prefix of layers."""
    rows = [
        (name, " ".join(one.layers), cluster + 1, *one.counts[cluster].tolist(), one.precision, one.recall,
         one.adjusted_rand)
        for name, prefixes in found.items() for one in prefixes for cluster in (0, 1)
    ]  # fmt: skip
    return Rows(GRADIENT_COLUMNS, rows)


def gradient_table(name: str, found: Sequence[GradientClusters]) -> Table:
    """Make a table of one class for a terminal of 80 columns: with / without the artifact in either cluster."""
    numbers = ("cluster 1", "cluster 2", "precision", "recall", "ARI")
    caption = (
        "In a cluster: images with / without the artifact. ARI: adjusted Rand index, 1 where clusters are the carriers."
    )
    table = terminal_table(
        f"Class {name}: clusters of gradients", [Column("layers", overflow="fold")], numbers, caption
    )
    for one in found:
        clusters = (f"{with_it} / {without}" for with_it, without in one.counts.tolist())
        shares = (percent(one.precision, 0), percent(one.recall, 0), f"{one.adjusted_rand:.2f}")
        table.add_row(escape(_added(one.layers)), *clusters, *shares)
    return table


def _added(layers: Sequence[str]) -> str:
    """The layer that a prefix adds."""
    return layers[0] if len(layers) == 1 else f"+ {layers[-1]}"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
