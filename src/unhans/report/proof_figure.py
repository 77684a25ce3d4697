"""Samples before and after an artifact was added or removed, with their heatmaps ([000] figure 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unhans.attribution import colorize, picture
from unhans.report.canvas import ALARM, INK, QUIET, place, shorten, write
from unhans.report.sheet import NARROWEST, TEXT_INCH, TILE, Look, sheet, shown, summed, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.artifacts.proof import Example, Proof

GAP = 0.06  # tiles between two pictures
APART = 0.16  # tiles between before and after
BLOCK = 4 + 2 * GAP + APART  # tiles: before, heatmap, after, heatmap
BETWEEN = 0.4  # tiles between additions and removals
HEADING = 0.34  # tiles: what a block shows and the names of its columns
CAPTION = 0.2  # tiles above a row
COLUMNS = ("before", "heatmap", "after", "heatmap")
PAIRED = "1 is the largest absolute value of the two maps of a sample, before and after."
CHOICES = {"largest": "a large change", "typical": "a typical change"}
NAME = 26  # characters of a class name above a row


def proof_figure(proof: Proof, classes: Sequence[str], *, cmap: str = "hot-cold") -> Figure | None:
    """Draw examples before and after, added beside removed, each with its heatmap for the artifact's class.

    The two maps of a sample are scaled jointly, so that before and after can be compared. classes: the name of every
    class, by label. Returns None where there is no example.
    """
    blocks = [block for block in example_blocks(proof) if block[1]]
    if not blocks:
        return None
    look = Look(joint=True, cmap=cmap)
    across = (BLOCK + BETWEEN) * len(blocks) - BETWEEN
    heads = [wrapped(heading, BLOCK * TILE * TEXT_INCH * 8 / 9) for heading, _ in blocks]
    head = HEADING + 0.12 * max(text.count("\n") for text in heads)
    row = CAPTION + max(_height(example) for _, examples in blocks for example in examples) + GAP
    down = head + row * max(len(examples) for _, examples in blocks)
    first = blocks[0][1][0]
    width = max(TILE * across, NARROWEST) * TEXT_INCH
    title = f"What the artifact does to the class '{shorten(proof.name, int(width / 2.6))}'"
    meaning = f"Heatmaps: relevance for the artifact's class, '{proof.name}'; p is its probability."
    subtitle = f"{proof.artifact.rstrip('.')}. {meaning}"
    figure, axes = sheet(across, down, title, subtitle, look, summed(first.heatmaps), PAIRED)
    for number, (text, (_, examples)) in enumerate(zip(heads, blocks, strict=True)):
        left = (BLOCK + BETWEEN) * number
        write(axes, left, 0.02, text, va="top", fontsize=9, weight="bold")
        for name, at in zip(COLUMNS, _lefts(left), strict=True):
            write(axes, at, head - 0.04, name, color=QUIET)
        for line, example in enumerate(examples):
            _row(axes, example, classes, proof, look, left, head + row * line)
    return figure


def example_blocks(proof: Proof) -> list[tuple[str, Sequence[Example]]]:
    """Return the examples of addition and of removal under a heading each."""
    return [
        ("Added to samples of other classes", proof.examples),
        ("Removed from affected samples", proof.removal_examples),
    ]


def example_caption(example: Example, classes: Sequence[str], length: int = NAME) -> tuple[str, str]:
    """Say an example's true class, how p of the artifact's class changes, and why the example was chosen."""
    before, after = (probability_said(float(p)) for p in example.probabilities)
    return shorten(classes[example.label], length), f"p {before} → {after}, {CHOICES[example.choice]}"


def probability_said(value: float) -> str:
    """Write a probability with two digits, and none that is neither 0 nor 1 as if it were."""
    if 0 < value < 0.01:
        return "<0.01"
    return ">0.99" if 0.99 < value < 1 else f"{value:.2f}"


def _row(
    axes: Axes, example: Example, classes: Sequence[str], proof: Proof, look: Look, left: float, top: float
) -> None:
    name, change = example_caption(example, classes)
    grown = float(example.probabilities[1]) > float(example.probabilities[0])
    write(axes, left, top + CAPTION - 0.06, f"true class: {name}", color=INK)
    after = _lefts(left)[2]
    write(axes, after, top + CAPTION - 0.06, change, color=ALARM if grown else INK)
    before, later = (picture(image) for image in example.images)
    maps = colorize(shown(example.heatmaps, before.shape[:2], look), look.cmap)
    above = top + CAPTION - (1 - _height(example)) / 2
    for at, tile in zip(_lefts(left), (before, maps[0], later, maps[1]), strict=True):
        place(axes, tile, at, above)


def _lefts(left: float) -> list[float]:
    return [left, left + 1 + GAP, left + 2 + GAP + APART, left + 3 + 2 * GAP + APART]


def _height(example: Example) -> float:
    height, width = example.images.shape[-2:]
    return float(height / max(height, width))
