"""What is known because the artifact was planted: did the audit find it, and does the model use it?"""

from __future__ import annotations

import numpy as np
from rich.console import Console

from unhans.attribution import Relevance
from unhans.callbacks import SpRAyAudit
from unhans.data import ImageData, carriers_of
from unhans.effects import Known, evenly
from unhans.harness import bench_of, pasted_effect
from unhans.models import Classifier
from unhans.report.text import share_said

BATCH = 64
MOST = 500  # images of other classes that the artifact is pasted on
SEED = 0  # of the images that are drawn


def planted_recovery(audit: SpRAyAudit, data: ImageData, console: Console) -> dict[str, float]:
    """Hold the striking cluster of the planted class against the images that really carry the artifact."""
    target = data.artifact.target_index(data.classes)
    name = data.classes[target]
    place = next((i for i, found in enumerate(audit.ranking, 1) if found.label == target), None)
    if place is None:
        console.print(f"The planted class {name!r} has not been audited.")
        return {}
    carriers = carriers_of(audit.dataset)
    cluster, audited = audit.clusters[target], audit.audited(target)
    hits = carriers[cluster].sum()
    precision, recall = hits / max(1, len(cluster)), hits / max(1, carriers[audited].sum())
    found = (
        f"its most striking cluster holds {len(cluster)} images, {100 * precision:.0f} % of them with the artifact "
        f"({100 * recall:.0f} % of all that carry it)."
    )
    ranks = f"The planted class {name!r} ranks {_ordinal(place)} of {len(audit.ranking)}; "
    console.print(ranks + (found if len(cluster) else "it is too small to hold two clusters."))
    return {"planted/rank": float(place), "planted/precision": float(precision), "planted/recall": float(recall)}


def planted_effect(classifier: Classifier, data: ImageData, console: Console) -> dict[str, float]:
    """Paste the planted artifact on validation images of the other classes and measure the change."""
    target = data.artifact.target_index(data.classes)
    usable = ~data.val_set.carriers & ~data.val_set.unreadable.numpy()
    others = np.flatnonzero(usable & (data.val_set.labels != target))
    if not len(others):
        return {}
    chosen = evenly(data.val_set.labels, others, MOST, SEED)
    bench = bench_of(classifier.model, data.val_set, Relevance(), device=classifier.device, batch_size=BATCH)
    effect = pasted_effect(bench, data.artifact, target, chosen)
    low, high = effect.share_interval
    console.print(
        f"Pasted on {effect.n} validation images of other classes, the artifact turns "
        f"{share_said(effect.share, effect.share_interval)} of them into {data.classes[target]!r} (95 % interval).",
        markup=False,
    )
    interval = {"planted/flipped_low": low, "planted/flipped_high": high, "planted/pasted": float(effect.n)}
    return {"planted/flipped": effect.share, "planted/delta_p": effect.probability} | interval


def planted_numbers(truth: Known) -> dict[str, float]:
    """Return how the isolated artifact compares with the planted one, as far as it is known."""
    numbers = {"planted/found": float(truth.found), "planted/right": float(truth.right)}
    if truth.right and truth.iou is not None:
        numbers["planted/iou"] = truth.iou
    if truth.within is not None:
        numbers["planted/within"] = float(truth.within)
    return numbers


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
