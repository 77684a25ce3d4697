"""The whole report of an audit as one file that needs no internet."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from markupsafe import Markup

from unhans.report.html.case_view import CaseSection, case_view
from unhans.report.html.class_gallery import FORMAT
from unhans.report.html.page import asset, read_texts, write_page
from unhans.report.tables import SUSPECT_COLUMNS, ClassState, states_sentence
from unhans.report.text import entry_sentence, plain, ranking_sentences
from unhans.spray import Suspicion

SCRIPTS = (
    "elements.js", "proof.js", "ranking.js", "sprite.js", "map.js", "spectrum.js", "cluster.js", "class.js", "page.js",
)  # fmt: skip


def write_report(
    path: str | os.PathLike[str],
    parts: Iterable[str | os.PathLike[str]],
    ranking: Sequence[Suspicion],
    title: str,
    subtitle: str,
    downloads: Mapping[str, str | os.PathLike[str]],
    cases: Iterable[tuple[int, Iterable[CaseSection]]] = (),
    states: Sequence[ClassState] = (),
    picture: str | os.PathLike[str] | None = None,
) -> None:
    """Write the page, whole or not at all; parts and cases are read one after the other.

    Args:
        parts: files with what `class_part` returned, one per class; a class without one cannot be opened.
        ranking: every class, the most suspicious first.
        subtitle: the line under it: data, network, epoch, rule set.
        downloads: text files that the page offers, by the name under which a browser saves them.
        cases: label and artifacts of classes, of each the one first that the overview names.
        states: what became of every class; it stands over the ranking.
        picture: a PNG of the distribution of τ, which stands below the ranking.

    Raises:
        ValueError: the ranking is empty, or a part is damaged or something else.
        OSError: a file cannot be read or written.
    """
    if not ranking:
        raise ValueError("A report must hold at least one class; got none.")
    texts, code = read_texts(downloads), script()
    report = {
        "ranking": [_entry(entry, ranking) for entry in ranking],
        "sentences": ranking_sentences(ranking),
        "downloads": list(texts),
        "suspect_columns": SUSPECT_COLUMNS,
    }
    context = {
        "title": title,
        "subtitle": subtitle,
        "script": code,
        "hash": f"sha256-{base64.b64encode(sha256(code.encode()).digest()).decode('ascii')}",  # no other code may run
        "states": states,
        "states_sentence": states_sentence(states),
        "report": report,
        "downloads": texts.values(),
        "cases": ((int(label), map(case_view, sections)) for label, sections in cases),
        "parts": map(_part, parts),
        "picture": None if picture is None else base64.b64encode(Path(picture).read_bytes()).decode("ascii"),
    }
    write_page(path, "audit.html", context)


def script() -> Markup:
    """Return all code of the page, none of which another script could call."""
    return Markup('\n"use strict";\n(() => {\n') + asset(*SCRIPTS) + Markup("})();\n")


def _entry(entry: Suspicion, ranking: Sequence[Suspicion]) -> dict[str, Any]:
    values = {name: plain(value) for name, value in asdict(entry).items()}
    return values | {"sentence": entry_sentence(entry, ranking)}


def _part(path: str | os.PathLike[str]) -> tuple[int, str]:
    """Return a class's label, and its part as it lies on the disk, in letters that cannot end a script."""
    packed = Path(path).read_bytes()
    try:
        part = json.loads(zlib.decompress(packed))
        if part["format"] != FORMAT:
            raise KeyError("format")
        label = int(part["label"])
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} is not a complete part of a report (expected {FORMAT!r}).") from error
    return label, base64.b64encode(packed).decode("ascii")
