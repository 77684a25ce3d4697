"""What is left of a finished class in memory, and on the disk the mark that it is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unhans.spray import Suspicion
from unhans.store import replacing
from unhans.store.virelay import ClassFiles

FORMAT = 3


@dataclass(frozen=True)
class Finding:
    """What a survey found in one class: its suspicion and rows of the tables, or why it could not be ranked.

    suspicion: of the class by itself; the ranking scores all classes against each other. suspects: the samples of its
    striking cluster, whether it stands out or not. seconds: that it took.
    """

    label: int
    name: str
    suspicion: Suspicion | None = None
    suspects: list[tuple[Any, ...]] = field(default_factory=list)
    clusters: list[tuple[Any, ...]] = field(default_factory=list)
    refused: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Saved:
    """A finding as it was saved: with its key, and whether the files it belongs to are still whole."""

    finding: Finding
    key: dict[str, Any]
    damaged: str | None


def save_finding(files: ClassFiles, finding: Finding, key: Mapping[str, Any]) -> None:
    """Write the finding of a class, after all its other files: from now on the class counts as finished."""
    files.folder.mkdir(parents=True, exist_ok=True)  # a class that is refused has no other files
    sizes = {path.name: path.stat().st_size for path in sorted(files.folder.iterdir()) if _belongs(path)}
    content = {"format": FORMAT, "key": key, "sizes": sizes, "finding": asdict(finding)}
    with replacing(files.folder / "finding.json") as part:
        part.write_text(json.dumps(content, default=_plain), encoding="utf-8")


def load_finding(files: ClassFiles) -> Saved | None:
    """Return the finding of a class, or None where it is not finished and is to be done again.

    Raises ValueError where it was written by a newer version.
    """
    path = files.folder / "finding.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return None  # not written by us to its end
    if content.get("format", 0) > FORMAT:
        raise ValueError(
            f"{path} was written by a newer version of unhans (format {content['format']}; this is {FORMAT}); "
            "give another folder as out=…"
        )
    if content.get("format", 0) < FORMAT:
        return None  # by an older version, whose other files may differ
    try:
        return Saved(_finding(content["finding"]), content["key"], _damage(files.folder, content["sizes"]))
    except (KeyError, TypeError, AttributeError):
        return None  # of this format, with other fields: to be done again


def _finding(found: Mapping[str, Any]) -> Finding:
    suspicion = None if found["suspicion"] is None else Suspicion(**found["suspicion"])
    rows = {name: [tuple(row) for row in found[name]] for name in ("suspects", "clusters")}
    more = {name: found[name] for name in ("refused", "seconds")}
    return Finding(found["label"], found["name"], suspicion, **rows, **more)


def _belongs(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != "finding.json"


def _damage(folder: Path, sizes: Mapping[str, int]) -> str | None:
    """Name a file that is gone or has another size than when the class was finished."""
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is gone"
        if path.stat().st_size != size:
            return f"{path} is damaged ({path.stat().st_size:,} of {size:,} bytes)"
    return None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
