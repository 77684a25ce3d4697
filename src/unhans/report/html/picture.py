"""Pictures inside a page: as data URIs, with the words that stand for them."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from unhans.attribution import RGB

SIDE = 260  # pixels of the longer side, twice as many as the page shows on most screens
SMALL = 80  # pixels up to which a picture stays as it is, its pixels drawn as squares
QUALITY = 82


def data_uri(pixels: RGB, side: int = SIDE) -> str:
    """Return RGB pixels (H, W, 3) as the address of a picture inside the page, at most so many pixels a side.

    A small one is a PNG, a larger one a JPEG whose colours keep their resolution.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    memory = io.BytesIO()
    kind = "png" if max(pixels.shape[:2]) <= SMALL else "jpeg"
    settings = {"optimize": True} if kind == "png" else {"quality": QUALITY, "subsampling": 0, "optimize": True}
    image.save(memory, kind, **settings)
    return f"data:image/{kind};base64,{base64.b64encode(memory.getvalue()).decode('ascii')}"


def figure(pixels: RGB, words: str, caption: str = "", side: int = SIDE) -> str:
    """Return a picture as HTML; words: what a screen reader says; caption: plain text under it."""
    height, width = pixels.shape[:2]
    kind = ' class="pixels"' if max(height, width) <= SMALL else ""
    text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    picture = f'<img{kind} src="{data_uri(pixels, side)}" alt="{escape(words)}" width="{width}" height="{height}">'
    return f"<figure>{picture}{text}</figure>"
