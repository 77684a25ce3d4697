"""The comparison of repairs for the terminal: accuracies, then what the network still makes of the artifact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unhans.artifacts.numerals import signed
from unhans.report.measures import UNKNOWN
from unhans.report.percent import percent, percent_range
from unhans.report.repair_rows import Summary, summaries
from unhans.report.repair_sentences import UNNAMED, Named, basis, group_said, reduced_said, repair_sentences
from unhans.report.repaired import OutcomeLike, short_name

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unhans.artifacts.estimate import Estimate

NAME = 18  # characters of a method's name in a line
LEGEND = (
    "Accuracy is the share of validation images classified correctly; worst group: the class, with or without the "
    "artifact, where it is smallest. Δp: mean change of the probability of the artifact's class when the artifact is "
    "pasted on images of other classes; 0 is best. reduced: by how much Δp is smaller than as it was, which is taken "
    "as exact. in mask: share of the positive relevance for that class that lies on the artifact. AUC: of that class "
    "on unaltered images."
)


def repair_table(outcomes: Iterable[OutcomeLike], named: Named = UNNAMED) -> RenderableType:
    """Make the comparison for a terminal of 80 columns: two tables, how to read them, and a sentence per method."""
    found = summaries(outcomes)
    lines = (Padding(Text(sentence), (0, 0, 0, 2)) for sentence in repair_sentences(found, named))
    notes = Text(f"{LEGEND} {basis(found)}", "dim")
    return Group(_accuracies(found), _reliance(found), notes, Text(), *lines)


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", max_width=NAME)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=heading != "worst group")
    return table


def _accuracies(found: Sequence[Summary]) -> Table:
    table = _table("Accuracy after each repair", ("unaltered", "added", "removed", "worst group"))
    for one in found:
        worst = Text.assemble(_share(one.worst), (f"\n{group_said(one.group)}", "dim"))
        name = Text(short_name(one.method), "bold")
        table.add_row(name, _share(one.clean), _share(one.added), _share(one.removed), worst)
    return table


def _reliance(found: Sequence[Summary]) -> Table:
    table = _table("What the network still makes of the artifact", ("Δp", "reduced", "in mask", "AUC", "seconds"))
    for one in found:
        delta, area = _number(one.effect, lambda value: signed(value, 3)), _number(one.area, "{:.3f}".format)
        name = Text(short_name(one.method), "bold")
        table.add_row(name, delta, _reduced(one), _share(one.relevance, 0), area, f"{one.seconds:.0f}")
    return table


def _share(value: Estimate | None, digits: int = 1) -> Text:
    return Text(UNKNOWN) if value is None else _two(percent(value.mean, digits), percent_range(value.interval, digits))


def _number(value: Estimate | None, write: Callable[[float], str]) -> Text:
    if value is None:
        return Text(UNKNOWN)
    return _two(write(value.mean), "[{}, {}]".format(*map(write, value.interval)))


def _two(value: str, interval: str) -> Text:
    return Text.assemble(value, (f"\n{interval}", "dim"))


def _reduced(one: Summary) -> Text:
    if one.reduced is None:
        return Text(UNKNOWN)
    share, (low, high) = one.reduced
    return Text.assemble(reduced_said(share), (f"\n[{100 * low:.0f}, {100 * high:.0f}]".replace("-", "−"), "dim"))
