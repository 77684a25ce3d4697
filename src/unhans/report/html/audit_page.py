"""The whole report as one file that needs no network."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unhans.report.html.class_gallery import FORMAT
from unhans.report.tables import SUSPECT_COLUMNS
from unhans.store import replacing

if TYPE_CHECKING:
    from unhans.spray import Suspicion


SCRIPTS = (
    "elements.js", "proof.js", "ranking.js", "sprite.js", "map.js", "spectrum.js", "cluster.js", "class.js", "page.js",
)  # fmt: skip
STYLES = ("page.css", "proof.css")
BEFORE, AFTER = '\n"use strict";\n(() => {\n', "})();\n"
PLACE = re.compile(r"\{\{(\w+)\}\}")


def write_report(
    path: str | os.PathLike[str],
    parts: Iterable[str | os.PathLike[str]],
    ranking: Sequence[Suspicion],
    title: str,
    subtitle: str,
    downloads: Mapping[str, str | os.PathLike[str]],
    sentences: Sequence[str],
    proofs: Mapping[int, str] | None = None,
    states: str = "",
) -> None:
    """Write the page, whole or not at all; parts are read one after the other.

    Args:
        path: the file.
        parts: what `pack` made of `class_part`, a file per class; a class without one cannot be opened.
        ranking: every class, the most suspicious first.
        title, subtitle: the heading, and the line under it: data, network, epoch, rule set.
        downloads: text files that the page offers, by the name under which a browser saves them.
        sentences: what the ranking means, one per suspicious class in its order, as `ranking_sentences` returns.
        proofs: by label, what `proof_part` made of the class's artifact; one after the other is read.
        states: HTML that stands over the ranking, what became of every class.

    Raises:
        ValueError: the ranking is empty, or a part is damaged or something else.
        OSError: a file cannot be read or written.
    """
    if not ranking:
        raise ValueError("A report must hold at least one class; got none.")
    report = {
        "ranking": [_entry(entry) for entry in ranking],
        "sentences": list(sentences),
        "downloads": list(downloads),
        "suspect_columns": SUSPECT_COLUMNS,
    }
    content: dict[str, Callable[[], Iterable[str]]] = {
        "title": lambda: [escape(title)],
        "subtitle": lambda: [escape(subtitle)],
        "version": lambda: [version("unhans")],
        "style": lambda: map(asset, STYLES),
        "hash": lambda: [hash_of(script())],
        "script": lambda: [script()],
        "states": lambda: [states],
        "report": lambda: [_harmless(report)],
        "downloads": lambda: _downloads(downloads),
        "proofs": lambda: _proofs(proofs or {}),
        "parts": lambda: map(_part, parts),
    }
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(filled(asset("page.html"), content))


def filled(template: str, content: Mapping[str, Callable[[], Iterable[str]]]) -> Iterator[str]:
    """Give the template with every {{name}} replaced; what is put in is not searched again."""
    for number, text in enumerate(PLACE.split(template)):
        yield from content[text]() if number % 2 else [text]


def script() -> str:
    """Return all code of the page, none of which another script could call."""
    return "".join([BEFORE, *map(asset, SCRIPTS), AFTER])


def hash_of(code: str) -> str:
    """Return the source by which a content security policy allows this code, and no other, to run in a page."""
    return f"sha256-{base64.b64encode(sha256(code.encode()).digest()).decode('ascii')}"


def asset(name: str) -> str:
    """Return the text of a file that belongs to the pages."""
    return files("unhans.report.html").joinpath(name).read_text(encoding="utf-8")


def _entry(suspicion: Suspicion) -> dict[str, Any]:
    values = asdict(suspicion)
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in
            values.items()}  # fmt: skip


def _harmless(value: Any) -> str:
    """Return JSON that can stand inside a script element: no name can end it."""
    return json.dumps(value, allow_nan=False, default=np.generic.item).replace("<", "\\u003c")


def _downloads(downloads: Mapping[str, str | os.PathLike[str]]) -> Iterator[str]:
    for number, path in enumerate(downloads.values()):
        text = Path(path).read_bytes().decode("utf-8")
        yield f'<script type="application/json" id="download-{number}">{_harmless(text)}</script>\n'


def _proofs(proofs: Mapping[int, str]) -> Iterator[str]:
    """Give every section inside a template, which a browser neither draws nor decodes until it is opened."""
    for label in proofs:
        yield f'<template class="proof" data-label="{int(label)}">{proofs[label]}</template>\n'


def _part(path: str | os.PathLike[str]) -> str:
    """Return a class's part as it lies on the disk, in letters that cannot end a script."""
    packed = Path(path).read_bytes()
    try:
        part = json.loads(zlib.decompress(packed))
        if part["format"] != FORMAT:
            raise KeyError("format")
        label = int(part["label"])
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} is not a complete part of a report (expected {FORMAT!r}).") from error
    text = base64.b64encode(packed).decode("ascii")
    return f'<script type="application/octet-stream" id="part-{label}">{text}</script>\n'
