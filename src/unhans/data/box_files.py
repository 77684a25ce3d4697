"""Files that tell where objects lie: XML of PASCAL VOC, JSON of COCO, tables, folders of masks."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from unhans.data.object_boxes import ANY, EXTENSIONS, ImageObjects, ObjectFile
from unhans.store import plain_text

COLUMNS = ("path", "x0", "y0", "x1", "y1")


def read_boxes(path: str | Path, option: str = "data.boxes") -> ObjectFile:
    """Read boxes of objects: `.csv`, `.json` (COCO), `.xml` (PASCAL VOC) or a folder of the latter.

    Edges are those of a table's x0, y0, x1, y1; of COCO's bbox x, y, x + width, y + height; and of VOC, which counts
    pixels from 1 to the last one, xmin − 1, ymin − 1, xmax, ymax.

    Args:
        path: the file or folder.
        option: the key that it was given as, which opens every sentence.

    Raises:
        FileNotFoundError, ValueError: there is no such file, or it is not of these forms.
    """
    file = Path(str(path)).expanduser()
    if not file.exists():
        raise FileNotFoundError(f"{option} expects a file of boxes, got nothing at {file}.")
    readers: dict[str, Callable[[Path], list[ImageObjects]]] = {".csv": _read_table, ".json": _read_coco}
    reader = _read_voc if file.is_dir() or file.suffix.lower() == ".xml" else readers.get(file.suffix.lower())
    if reader is None:
        raise _refused(option, str(file))
    try:
        images = reader(file)
    except (ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError, csv.Error) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise _refused(option, f"{file}: {reason}") from error
    if not any(len(one.boxes) for one in images):
        raise ValueError(f"{option} expects boxes, got none in {file}.")
    return ObjectFile(file, option, images)


def read_masks(folder: str | Path, option: str = "data.masks") -> ObjectFile:
    """Find masks of objects: pictures called as the images, bright where the object of the image's class lies.

    Args:
        folder: of these, with or without folders inside.
        option: the key that it was given as, which opens every sentence.

    Raises:
        FileNotFoundError, ValueError: there is no such folder, or no picture in it.
    """
    root = Path(str(folder)).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"{option} expects a folder of masks, got no folder at {root}.")
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in EXTENSIONS)
    if not files:
        raise ValueError(f"{option} expects masks that are called as the images, got no picture in {root}.")
    return ObjectFile(root, option, [ImageObjects(str(path.relative_to(root)), mask=path) for path in files])


def _refused(option: str, got: str) -> ValueError:
    return ValueError(
        f"{option} expects a table with the columns path,class,x0,y0,x1,y1, a JSON file of COCO, an XML file of VOC or "
        f"a folder of them, got {got}."
    )


def _objects(name: str, found: list[tuple[str, Any]], size: tuple[int, int] | None = None) -> ImageObjects:
    """Objects of a picture from (class, box) pairs; ValueError where a box is not four finite numbers."""
    boxes = np.array([box for _, box in found], dtype=np.float64).reshape(-1, 4)
    if len(boxes) != len(found) or not np.isfinite(boxes).all():
        raise ValueError(f"a box of {name} is not four finite numbers")
    return ImageObjects(name, boxes, tuple(each for each, _ in found), size)


def _read_table(file: Path) -> list[ImageObjects]:
    with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as table:  # see `write_csv`
        reader = csv.DictReader(io.StringIO(table.read(), newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the column {missing[0]!r} is missing")
    found: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for row in reader:
        named = plain_text(row.get("class") or ANY)
        found[plain_text(row["path"] or "")].append((named, [float(row[name] or "nan") for name in COLUMNS[1:]]))
    return [_objects(name, each) for name, each in found.items()]


def _read_coco(file: Path) -> list[ImageObjects]:
    whole = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(whole, dict):
        raise ValueError("it holds no images, annotations and categories")
    names = {each["id"]: str(each["name"]) for each in whole["categories"]}
    found: dict[Any, list[tuple[str, Any]]] = defaultdict(list)
    for one in whole["annotations"]:
        left, top, width, height = one["bbox"]
        found[one["image_id"]].append((names[one["category_id"]], (left, top, left + width, top + height)))
    return [
        _objects(str(each["file_name"]), found[each["id"]], _size(each.get("height"), each.get("width")))
        for each in whole["images"]
    ]


def _read_voc(path: Path) -> list[ImageObjects]:
    files = sorted(path.rglob("*.xml")) if path.is_dir() else [path]
    return [_read_voc_image(file) for file in files]


def _read_voc_image(file: Path) -> ImageObjects:
    root = ElementTree.parse(file).getroot()
    found = []
    for one in root.iter("object"):
        box = one.find("bndbox")
        edges = [None if box is None else box.findtext(name) for name in ("xmin", "ymin", "xmax", "ymax")]
        if None in edges:
            raise ValueError(f"an object of {file.name} has no bndbox with xmin, ymin, xmax and ymax")
        left, top, right, bottom = map(float, edges)  # type: ignore[arg-type]
        found.append(((one.findtext("name") or ANY).strip(), (left - 1, top - 1, right, bottom)))
    size = _size(root.findtext("size/height"), root.findtext("size/width"))
    return _objects((root.findtext("filename") or file.stem).strip(), found, size)


def _size(height: Any, width: Any) -> tuple[int, int] | None:
    """Height and width, unless one is missing or 0, as some tools write it."""
    sides = int(height or 0), int(width or 0)
    return sides if min(sides) > 0 else None
