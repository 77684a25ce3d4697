"""Fixed samples under two networks, epoch by epoch, as pictures inside a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from unhans.report.figures import INSIDE, JOINTLY, Look, Pair, chosen_epochs, pair_shares, pair_tiles
from unhans.report.pictures import figure

TILE = 160  # pixels of a picture


def pairs_section(pairs: Sequence[Pair], cmap: str = "hot-cold") -> str:
    """Return the heatmaps of every sample under network A above those under B; "" where there is no sample."""
    if not pairs:
        return ""
    note = f"Warm colours support the artifact's class, cold ones contradict it. {JOINTLY} {INSIDE}"
    samples = "".join(_pair(pair, Look(joint=True, cmap=cmap)) for pair in pairs)
    return (
        "<section><h3>The same samples under A (unaltered data, above) and B (artifact on all, below)</h3>"
        f'<p class="quiet small">{escape(note)}</p>{samples}</section>'
    )


def _pair(pair: Pair, look: Look) -> str:
    columns = chosen_epochs(pair.epochs)
    image, rows = pair_tiles(pair, columns, look)
    epochs = [f"epoch {pair.epochs[i]}" if pair.epochs[i] else "before" for i in columns]
    maps = "".join(
        f'<span class="letter">{letter}</span>'
        + "".join(
            figure(tile, f"heatmap of network {letter}, {epoch}", f"{epoch}: {100 * share:.0f} % inside", TILE)
            for tile, epoch, share in zip(tiles, epochs, shares, strict=True)
        )
        for letter, tiles, shares in zip("AB", rows, pair_shares(pair, columns), strict=True)
    )
    return (
        f'<div class="pair-maps" style="--epochs:{len(columns)}"><div class="sample">'
        f"{figure(image, 'sample with the artifact outlined', pair.title, TILE)}</div>"
        f'<div class="maps">{maps}</div></div>'
    )
