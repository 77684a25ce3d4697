"""The samples of classes laid out by several methods, coloured by cluster."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from unhans.report.figures import ALARM, AMBER, BLUE, GREEN, INK, REST, TEXT, VIOLET, chart, tidy
from unhans.report.text import percent, shorten
from unhans.report.text.quality import LAYOUT_NAMES, MAPS_READING
from unhans.spray import LAYOUTS, ClassMaps

PENS = (BLUE, AMBER, GREEN, ALARM, VIOLET, INK, REST, "tab:brown")  # as many as clusters at most


def class_maps_figure(maps: Mapping[str, ClassMaps], subtitle: str = "") -> Figure:
    """Draw a row of maps for every class, with what is measured of each below it.

    Args:
        maps: by the name of the class, one at least.
        subtitle: what was clustered.

    Raises:
        ValueError: there is no class.
    """
    if not maps:
        raise ValueError("A figure of maps expects at least one class; got none.")
    title = "The same clusters in four maps"
    figure, surface = chart(10.5, 2.6 * len(maps) + 0.6, title, subtitle, MAPS_READING)
    panels = surface.subplots(len(maps), len(LAYOUTS), squeeze=False)
    for row, (name, one) in zip(panels, maps.items(), strict=True):
        quality = one.quality
        for axes, layout in zip(row, LAYOUTS, strict=True):
            axes.scatter(*one.points[layout].T, s=6, c=[PENS[label] for label in one.labels], linewidths=0)
            tidy(axes, LAYOUT_NAMES[layout] if axes in panels[0] else "")
            axes.set(xticks=[], yticks=[])
            overlap, scatter = (percent(each, 0) for each in (quality[layout].overlap, quality[layout].scatter))
            axes.set_xlabel(f"overlap {overlap}, scatter {scatter}", **TEXT)
        row[0].set_ylabel(shorten(name, 24), fontsize=9, color=INK, parse_math=False)
    return figure
