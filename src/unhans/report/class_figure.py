"""What was found in one class on one page ([000] figs 4, 6 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.report.canvas import ALARM, INK, QUIET, TEXT, page, shorten
from unhans.report.class_charts import embedding_map, means, spectrum
from unhans.report.class_gallery import Shown, gallery
from unhans.report.verdict import class_sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from unhans.spray import Suspicion
    from unhans.spray.finding import ClassAudit

TITLE = 95  # characters that fit beside each other at 14 points


def class_figure(
    audit: ClassAudit,
    images: Sequence[Any] | NDArray[Any],
    classes: Sequence[str],
    *,
    suspicion: Suspicion | None = None,
    subtitle: str = "",
    cmap: str = "hot-cold",
) -> Figure:
    """Draw spectrum, map and mean heatmaps of a class beside samples of its striking cluster and of the rest.

    Where two splits were audited together, map and captions tell training from validation samples.

    Args:
        audit: the class, n samples.
        images: n images in [0, 1], or uint8, (3, H, W) or (H, W, 3) each; only those that are shown are read.
        classes: the name of every class, by index.
        suspicion: the class's place in the ranking; gives the verdict in the title.
        subtitle: a line under the title, such as the epoch and the rule set.
        cmap: a colour map of `colorize`.

    Raises:
        ValueError: there is not one image per sample, or an image lies outside of [0, 1].
    """
    if len(images) != len(audit.index):
        raise ValueError(f"There must be one image per audited sample ({len(audit.index)}); got {len(images)}.")
    members = np.zeros(len(audit.index), bool) if audit.cluster is None else audit.cluster.members
    shown = Shown(audit, images, classes, members, cmap, suspicion)
    figure = page(12, 7.4)
    title = class_sentence(audit, suspicion)
    figure.text(0.02, 0.975, title, **(_title_style(suspicion) | {"fontsize": min(14, 14 * TITLE / len(title))}))
    figure.text(0.02, 0.93, shorten(subtitle, 180), va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    spectrum(figure.add_axes((0.045, 0.625, 0.285, 0.225)), audit, _title_style(suspicion)["color"])
    embedding_map(figure.add_axes((0.045, 0.25, 0.285, 0.29)), audit, members)
    means(figure.add_axes((0.045, 0.005, 0.285, 0.185)), audit, members, cmap)
    gallery(figure.add_axes((0.365, 0.005, 0.63, 0.87)), shown)
    return figure


def _title_style(suspicion: Suspicion | None) -> dict[str, Any]:
    alarm = suspicion is not None and suspicion.suspicious
    return TEXT | {"fontsize": 14, "weight": "bold", "va": "top", "color": ALARM if alarm else INK}
