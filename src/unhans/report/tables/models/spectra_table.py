"""Eigenvalues of the neighbour graphs of classes, of the images and of several models."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from unhans.report.tables.terminal_table import Rows

Spectra = Mapping[str, Mapping[str, NDArray[np.floating]]]  # by class and by what was clustered, ascending


def lambda_2_places(spectra: Spectra) -> dict[str, dict[str, int]]:
    """Return by what was clustered the place of every class by λ₂, 1 for the smallest [003 § 6.3]; ties share it."""
    found: dict[str, dict[str, int]] = {}
    for source in dict.fromkeys(name for each in spectra.values() for name in each):
        lambda_2 = {label: float(each[source][1]) for label, each in spectra.items() if source in each}
        ranks = rankdata(list(lambda_2.values()), method="min").astype(int).tolist()
        found[source] = dict(zip(lambda_2, ranks, strict=True))
    return found


def eigenvalue_rows(spectra: Spectra) -> Rows:
    """Return a row for everything that was clustered and every class, the smallest λ₂ first."""
    count = max((len(values) for each in spectra.values() for values in each.values()), default=0)
    rows = []
    for source, places in lambda_2_places(spectra).items():
        for label in sorted(places, key=lambda label: places[label]):
            values = spectra[label][source].tolist()
            rows.append((source, label, places[label], *values, *[None] * (count - len(values))))
    return Rows(("of", "class", "place_by_lambda_2", *(f"lambda_{i + 1}" for i in range(count))), rows)
