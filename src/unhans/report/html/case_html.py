"""The section of a class that leads from the suspicion over layer and effect to the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.effects import reason_of, state_of
from unhans.report.figures import Look, layer_pictures, sample_pictures, samples_said
from unhans.report.html.before_after import examples_part
from unhans.report.html.effects_html import effects_table
from unhans.report.pictures import figure
from unhans.report.tables import effect_groups
from unhans.report.text import PROBABILITY, SHARE, STEPS, case_grounds, case_sentences, headline, spread_sentences

if TYPE_CHECKING:
    from unhans.effects import Case
    from unhans.isolation import Isolated


HEAD_END = "<!-- end of the verdict -->"
LAYER = 360  # pixels of a picture of the layer
_FEATURES = "; in features only"
KINDS = {"fixed": "at a fixed place", "free": "at changing places", "global": "on whole images"}


def proof_part(
    case: Case,
    classes: Sequence[str],
    images: Any = None,
    heatmaps: NDArray[np.floating] | None = None,
    *,
    cmap: str = "hot-cold",
) -> str:
    """Return one HTML section that shows a case as suspicion → layer → effect → verdict; it needs the page's style.

    classes: the name of every class, by label. images (n, 3, H, W) in [0, 1] and heatmaps (n, H, W): those that the
    artifact was isolated from; without them no sample of the cluster is shown. Every name is escaped; pictures are
    inside the text.
    """
    layer, examples = _layer(case, images, heatmaps, cmap), examples_part(case, classes, cmap)
    return f"{_head(case)}{layer}{_effect(case)}{examples}{_spread(case)}</section>"


def with_verdict(section: str, case: Case) -> str:
    """Return the section that `proof_part` made of a case with the verdict and suspicion that the case has now.

    Raises ValueError for something else than such a section.
    """
    return _head(case) + section[section.index(HEAD_END) + len(HEAD_END) :]


def says_proven(section: str) -> bool:
    """Tell whether sections of cases hold one that is proven."""
    return 'data-verdict="proven"' in section


def _head(case: Case) -> str:
    """The beginning of a section: everything that its verdict and the ranking say."""
    return (
        f'<section class="case" data-verdict="{escape(state_of(case))}" data-badge="{escape(state_of(case))}" '
        f'data-headline="{escape(headline(case))}" '
        f'aria-label="From suspicion to verdict">{_chain(case)}{_verdict(case)}{HEAD_END}'
    )


def _chain(case: Case) -> str:
    state = state_of(case)
    heads = (_suspected(case), _found(case), _measured(case), (state, reason_of(case) or ""))
    steps = (
        f'<li><span class="step">{step}</span><b>{escape(head)}</b><span class="quiet">{escape(note)}</span></li>'
        for step, (head, note) in zip(STEPS, heads, strict=True)
    )
    return f'<ol class="chain" data-state="{escape(state)}">{"".join(steps)}</ol>'


def _suspected(case: Case) -> tuple[str, str]:
    if case.suspicion is None:
        return "named by the user", ""
    entry = case.suspicion
    return f"{entry.cluster_size} of {entry.n} heatmaps", f"stand apart, score {entry.score:.2f}"


def _found(case: Case) -> tuple[str, str]:
    found = case.isolated
    if found is None:
        return ("given", "not isolated from the cluster") if case.proof else ("none", "nothing could be isolated")
    return KINDS[found.kind], f"in {int(found.members.sum())} of {len(found.members)} samples"


def _measured(case: Case) -> tuple[str, str]:
    tested = case.proof or case.features
    if tested is None or not tested.added:
        return "not measured", ""
    effect = tested.added[0].effect
    return (
        f"Δp {PROBABILITY.said(effect)}",
        f"{PROBABILITY.range_said(effect)}; {SHARE.said(effect)} of {effect.n} flipped{_FEATURES * (not case.proof)}",
    )


def _verdict(case: Case) -> str:
    grounds = {label: text for label, text in case_grounds(case).items() if label != "Spread" and text}
    verdict = f'<p class="said"><b>{escape(grounds.pop("Verdict"))}</b></p>'
    terms = "".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in grounds.items())
    return f'{verdict}<dl class="grounds">{terms}</dl>' if grounds else verdict


def _layer(case: Case, images: Any, heatmaps: NDArray[np.floating] | None, cmap: str) -> str:
    text = f"<h3>The artifact</h3><p>{escape(case_sentences(case)[1])}</p>"
    pictures = [] if case.isolated is None else layer_pictures(case.isolated, images)
    if case.isolated is None or not pictures:
        return text
    layers = "".join(figure(pixels, words, words, LAYER) for words, pixels in pictures)
    samples = "" if images is None else _samples(case.isolated, images, heatmaps, cmap)
    return f'{text}<div class="layers">{layers}</div>{samples}'


def _samples(isolated: Isolated, images: Any, heatmaps: NDArray[np.floating] | None, cmap: str) -> str:
    pairs = sample_pictures(isolated, images, heatmaps, Look(cmap=cmap))
    tiles = "".join(
        f'<div class="tiles">{figure(image, "sample with the artifact" + " outlined" * (isolated.transform is None))}'
        f"{'' if heatmap is None else figure(heatmap, 'its heatmap')}</div>"
        for image, heatmap in pairs
    )
    if not pairs:
        return ""
    words = f"{samples_said(isolated)}, each beside its heatmap"
    return f'<p class="quiet small">{words}</p><div class="rows">{tiles}</div>'


def _effect(case: Case) -> str:
    if case.proof is None:
        none = case.isolated is None and case.features is None
        return "" if none else f"<h3>Its effect</h3><p>{escape(case_sentences(case)[2])}</p>"
    return f"<h3>Its effect</h3>{effects_table(effect_groups(case.proof))}"


def _spread(case: Case) -> str:
    lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in spread_sentences(case))
    note = "Intervals are of 95 %; accuracy is the share of them that the network calls by their class."
    return f'<h3>How far the data are affected</h3><ul>{lines}</ul><p class="quiet small">{note}</p>' if lines else ""
