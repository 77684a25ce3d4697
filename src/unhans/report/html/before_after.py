"""Samples before and after an artifact was added or removed, as a part of the page ([000] figure 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import COLOUR_MAPS, colorize, picture, scale
from unhans.report.figures import CHOICES, example_blocks, legible, probability_said
from unhans.report.pictures import figure

if TYPE_CHECKING:
    from unhans.effects import Case, Proof
    from unhans.effects.interventions import Example


def examples_part(case: Case, classes: Sequence[str], cmap: str) -> str:
    """Return the samples of a case before and after as HTML, their maps scaled in pairs; "" where there is none."""
    if case.proof is None:
        return ""
    blocks = [(heading, examples) for heading, examples in example_blocks(case.proof) if examples]
    if not blocks:
        return ""
    parts = "".join(_block(heading, examples, classes, cmap) for heading, examples in blocks)
    return f'<h3>Before and after</h3>{_key(case.proof, cmap)}<div class="blocks">{parts}</div>'


def _block(heading: str, examples: Sequence[Example], classes: Sequence[str], cmap: str) -> str:
    rows = "".join(_example(example, classes, cmap) for example in examples)
    return f"<div><h4>{escape(heading)}</h4>{rows}</div>"


def _example(example: Example, classes: Sequence[str], cmap: str) -> str:
    before, after = (probability_said(float(p)) for p in example.probabilities)
    maps = colorize(scale(legible(np.asarray(example.heatmaps)), joint=True), cmap)
    tiles, name = "".join(_states(example, maps)), escape(classes[example.label])
    return (
        f'<div class="example"><p>true class <b>{name}</b> · p <b>{before} → {after}</b>'
        f' <span class="quiet">· {CHOICES[example.choice]}</span></p>'
        f'<div class="tiles four">{tiles}</div></div>'
    )


def _states(example: Example, maps: NDArray[np.uint8]) -> Iterator[str]:
    for state, name in enumerate(("before", "after")):
        yield figure(picture(example.images[state]), f"image {name}", name)
        yield figure(maps[state], f"heatmap {name}", "heatmap")


def _key(proof: Proof, cmap: str) -> str:
    stops = ",".join("#" + bytes(round(255 * part) for part in colour).hex() for colour in COLOUR_MAPS[cmap])
    return (
        f'<p class="quiet small colours"><i style="background:linear-gradient(to right,{stops})"></i>'
        f"contradicts · none · supports the class {escape(proof.name)}, of which p is the probability. "
        "The two heatmaps of a sample share one scale.</p>"
    )
