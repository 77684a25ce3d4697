"""How much of what SpRAy finds depends on its settings: tables of settings, of classes and of both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

import numpy as np
from rich.markup import escape
from rich.table import Column, Table

from unhans.report.tables.terminal_table import Rows, terminal_table
from unhans.report.text import UNKNOWN
from unhans.report.text.quality import STABILITY_READING
from unhans.spray import (
    MEASURES,
    REFERENCE,
    SAME,
    Agreement,
    ClassFit,
    ClassMaps,
    Holding,
    MapQuality,
    SettingAgreement,
    agreement,
    places,
)

Fits = Mapping[str, Mapping[int, ClassFit]]
MAP_MEASURES = tuple(each.name for each in fields(MapQuality))
FIT_COLUMNS = (
    "class", "setting", "lambda_2", "tau", "tau_clusters", "eigengap", "cut", "group_size", "n",
    *(f"place_by_{measure}" for measure in MEASURES), "clusters", "ari", "jaccard", "refused",
)  # fmt: skip


def stability_table(found: Sequence[SettingAgreement]) -> Table:
    """Make a table of the settings for a terminal of 80 columns."""
    numbers = ("ρ λ₂", "ρ τ", "ρ cut", "λ₂", "τ", "ARI", "same")
    words = [Column("setting", overflow="fold", max_width=30)]
    table = terminal_table("Settings, held against the reference", words, numbers, STABILITY_READING)
    for one in found:
        ratios = (f"×{_number(median(values.values()))}" for values in (one.lambda_2, one.tau))
        table.add_row(
            escape(one.name), *(_number(one.orders[measure]) for measure in MEASURES), *ratios,
            _number(median(each.ari for each in one.classes.values())), f"{same_groups(one)}/{len(one.classes)}",
        )  # fmt: skip
    return table


def same_groups(one: SettingAgreement) -> int:
    """Return how many classes have the same group as with the reference."""
    return sum(each.jaccard >= SAME for each in one.classes.values())


def median(values: object) -> float:
    """Return the median of what is known, NaN of nothing."""
    known = [value for value in values if not math.isnan(value)]  # type: ignore[attr-defined]
    return float(np.median(known)) if known else math.nan


def setting_rows(found: Sequence[SettingAgreement]) -> Rows:
    """Return a row for every setting but the reference."""
    columns = (
        "setting", *(f"spearman_{measure}" for measure in MEASURES), "lambda_2_ratio", "tau_ratio", "ari", "ari_lowest",
        "jaccard", "jaccard_lowest", "same_group", "classes",
    )  # fmt: skip
    rows = []
    for one in found:
        scores = [[getattr(each, name) for each in one.classes.values()] for name in ("ari", "jaccard")]
        spread = [number for values in scores for number in (median(values), min(_known(values), default=math.nan))]
        ratios = [median(one.lambda_2.values()), median(one.tau.values())]
        numbers = [*(one.orders[measure] for measure in MEASURES), *ratios, *spread]
        rows.append((one.name, *map(_plain, numbers), same_groups(one), len(one.classes)))
    return Rows(columns, rows)


def fit_rows(fits: Fits, refused: Mapping[tuple[int, str], str], names: Mapping[int, str]) -> Rows:
    """Return a row for every class and setting, those without a result too.

    Args:
        fits: by setting and label.
        refused: by label and setting, why there is no result.
        names: of the classes.
    """
    rows = []
    for setting, by_class in fits.items():
        ranked = {measure: places(by_class, measure) for measure in MEASURES} if by_class else {}
        for label, name in names.items():
            if label not in by_class:
                rows.append((name, setting, *[None] * (len(FIT_COLUMNS) - 3), refused.get((label, setting), "")))
                continue
            fit, own = by_class[label], fits[REFERENCE].get(label)
            rows.append((
                name, setting, fit.lambda_2, fit.tau, fit.tau_clusters, fit.eigengap, _plain(fit.cut),
                int(fit.group.sum()), len(fit.group), *(ranked[measure][label] for measure in MEASURES),
                *_agreement(None if own is None else agreement(own, fit)), None,
            ))  # fmt: skip
    return Rows(FIT_COLUMNS, rows)


def holding_rows(found: Sequence[Holding], names: Mapping[int, str], sentences: Sequence[str]) -> Rows:
    """Return a row for every class whose finding was followed."""
    columns = ("class", "place", "kept", "lost", "unknown", "moved", "other_group", "sentence")
    rows = []
    for one, sentence in zip(found, sentences, strict=True):
        told = asdict(one)
        words = ("; ".join(told[name]) for name in columns[2:-1])
        rows.append((names[one.label], one.place, *words, sentence))
    return Rows(columns, rows)


def _agreement(one: Agreement | None) -> tuple[int | float | None, ...]:
    return (None, None, None) if one is None else (one.clusters, _plain(one.ari), _plain(one.jaccard))


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _number(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def map_rows(maps: Mapping[str, ClassMaps]) -> Rows:
    """Return a row for every class, by name, and map."""
    rows = [
        (name, *layout, len(one.labels), len(np.unique(one.labels)), *asdict(quality).values())
        for name, one in maps.items()
        for layout, quality in one.quality.items()
    ]
    return Rows(("class", "projection", "projection_of", "n", "clusters", *MAP_MEASURES), rows)
