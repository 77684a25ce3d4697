"""How much of what SpRAy finds depends on its settings, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unhans.spray import ClassFit, Holding, SettingAgreement

NAMED = 6  # settings that a sentence names
ORDERED_BY = {"lambda_2": "λ₂", "tau": "τ", "cut": "the smallest normalised cut"}
STABILITY_READING = (
    "ρ: Spearman’s rank correlation of the order of the classes with the reference’s, by λ₂, by τ and by the smallest "
    "normalised cut. λ₂ and τ: median over the classes, by those of the reference. ARI: adjusted Rand index of the "
    "k-means clusters of a class with the reference’s, median. Same: classes whose group, the smaller side of the "
    "smallest cut, has a Jaccard index of at least 0.8 with the reference’s."
)

LAYOUT_NAMES = {
    ("tsne", "graph"): "t-SNE of A",
    ("tsne", "spectrum"): "t-SNE of Φ",
    ("umap", "graph"): "UMAP of A",
    ("umap", "spectrum"): "UMAP of Φ",
}
MAPS_READING = (
    "Colours: k-means clusters of the reference. Overlap: share of the 10 nearest points that belong to another "
    "cluster. Scatter: share of the variance of the points that lies within the clusters; the rest lies between their "
    "means. The clusters come from Φ, so that maps of Φ have an advantage."
)


def stability_cost(classes: int, settings: int, missing: int) -> str:
    """Say how much there is to do."""
    total = classes * settings
    kept = f", {total - missing} of them finished before" if missing < total else ""
    return f"{classes} classes with {settings} settings: {total} clusterings{kept}; heatmaps are made once."


def order_sentence(found: Sequence[SettingAgreement], by: str, classes: int) -> str:
    """Say how far the order of the classes depends on the settings."""
    known = {one.name: one.orders[by] for one in found if not math.isnan(one.orders[by])}
    if not known:
        return f"With {classes} classes there is no order to compare (it takes three)."
    worst = min(known, key=lambda name: known[name])
    several = (
        f"between {known[worst]:.2f} ({worst}) and {max(known.values()):.2f}"
        if len(known) > 1
        else (f"{known[worst]:.2f} ({worst})")
    )
    return (
        f"The order of the {classes} classes by {ORDERED_BY[by]}: Spearman’s ρ with the reference lies {several} over "
        f"{len(known)} other settings, median {np.median(list(known.values())):.2f}."
    )


def holding_sentence(
    one: Holding, name: str, fits: Mapping[str, Mapping[int, ClassFit]], reference: str, by: str, first: int
) -> str:
    """Say over which settings the finding of a class holds."""
    own = fits[reference][one.label]
    what = f"Class {name} is number {one.place} of {len(fits[reference])} by {ORDERED_BY[by]}"
    if math.isnan(own.cut):
        return f"{what}, but its graph has no cut: there is no group to compare."
    size = f"its group holds {int(own.group.sum())} of {len(own.group)} samples"
    tried = len(one.kept) + len(one.lost)
    if not tried:
        return f"{what}, {size}; no other setting could cluster it."
    held = (
        f"This holds over {len(one.kept)} of {tried} other settings"
        if one.lost
        else (f"This holds over all {tried} other settings")
    )
    parts = [f"{what}, {size}. {held} (among the first {first}, same group)"]
    if one.moved:
        parts.append(f"not among the first with {_listed(one.moved)}")
    if one.other_group:
        parts.append(f"another group with {_listed(one.other_group)}")
    if one.unknown:
        parts.append(f"not clustered with {_listed(one.unknown)}")
    return "; ".join(parts) + "."


def _listed(names: Sequence[str]) -> str:
    left = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {left} more" if left > 0 else "")


def refused_sentence(refused: Mapping[tuple[str, str], str]) -> str:
    """Say of which classes there is no result, by name and setting, and why the first of them has none."""
    (name, setting), reason = next(iter(refused.items()))
    return f"{len(refused)} clusterings have no result; the first is class {name} with {setting}: {reason}."
