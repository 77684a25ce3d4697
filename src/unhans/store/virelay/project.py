"""The files by which ViRelAy opens a whole run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import yaml

from unhans.store.atomic import replacing
from unhans.store.hdf5 import reading, writing
from unhans.store.virelay.class_files import ClassFiles, class_files, wordnet_id

ATTRIBUTION = ("attribution", "prediction", "label")
DATASET = ("data", "label")


def write_project(
    out: str | os.PathLike[str],
    name: str,
    model: str,
    classes: Sequence[str],
    done: Iterable[int],
    method: str,
    strategy: Literal["true_label", "predicted_label"] = "true_label",
    dataset: str = "",
) -> None:
    """Write what ViRelAy needs to open the finished classes of a run: `virelay <out>/project.yaml`.

    `dataset.h5` and `attribution.h5` join the arrays of the classes, `analysis.h5` their groups, without copying: they
    hold relative paths, so the folder can be moved, but not a class out of it. One file of each kind, since ViRelAy
    keeps every file open that a project names (1,000 classes would be too many for most systems), and looks for a
    sample in an attribution file number by number unless its row is its position in the data set.

    name, model, method, dataset: what ViRelAy shows; classes: the names of all; done: labels with an analysis, in the
    order in which ViRelAy shall list them. Without any, nothing is written.

    Raises:
        FileNotFoundError: a class that is done lacks a file.
        ValueError: the maps or images of two classes differ in shape, or a file is damaged.
        OSError: a file cannot be written.
    """
    out = Path(out)
    parts = [class_files(out, label, classes[label]) for label in done]
    if not parts:
        return
    (out / "project.yaml").unlink(missing_ok=True)  # written last: what it opens belongs together
    _join(out / "attribution.h5", [part.attribution for part in parts], ATTRIBUTION)
    _join(out / "dataset.h5", [part.dataset for part in parts], DATASET)
    _link(out / "analysis.h5", parts)
    labels = [
        {"index": label, "word_net_id": wordnet_id(label, text), "name": text} for label, text in enumerate(classes)
    ]
    _write(out / "label-map.json", json.dumps(labels, indent=1))
    project = _project(name, model, method, strategy, dataset or name, _image_shape(parts[0]))
    _write(out / "project.yaml", yaml.safe_dump(project, sort_keys=False, allow_unicode=True))


def _project(
    name: str, model: str, method: str, strategy: str, dataset: str, image_shape: tuple[int, int]
) -> dict[str, Any]:
    height, width = image_shape
    return {
        "project": {
            "name": name,
            "model": model,
            "label_map": "label-map.json",
            "dataset": {
                "name": dataset,
                "type": "hdf5",
                "path": "dataset.h5",
                "input_width": width,
                "input_height": height,
                "down_sampling_method": "none",
                "up_sampling_method": "none",
            },
            "attributions": {
                "attribution_method": method,
                "attribution_strategy": strategy,
                "sources": ["attribution.h5"],
            },
            "analyses": [{"analysis_method": "SpRAy", "sources": ["analysis.h5"]}],
        }
    }


def _join(path: Path, sources: Sequence[Path], names: Sequence[str]) -> None:
    """Write a file whose arrays are those of the sources, one after the other."""
    with writing(path) as (file, _):
        for name in names:
            arrays = [_source(path.parent, source, name) for source in sources]
            _check_alike(name, sources, arrays)
            file.create_virtual_dataset(name, _end_to_end(arrays, arrays[0].shape[1:]), fillvalue=0)


def _end_to_end(arrays: Sequence[h5py.VirtualSource], shape: tuple[int, ...]) -> h5py.VirtualLayout:
    """Lay arrays one after the other; heatmaps, of one channel, get two more that are zero without taking any room.

    ViRelAy sums channels, but half of its colour maps fail where there is only one.
    """
    heatmaps = len(shape) == 3 and shape[0] == 1
    n = sum(array.shape[0] for array in arrays)
    layout = h5py.VirtualLayout((n, *((3, *shape[1:]) if heatmaps else shape)), arrays[0].dtype)
    start = 0
    for array in arrays:
        stop = start + array.shape[0]
        layout[(slice(start, stop), slice(0, 1)) if heatmaps else slice(start, stop)] = array
        start = stop
    return layout


def _source(out: Path, path: Path, name: str) -> h5py.VirtualSource:
    with reading(path) as file:
        return h5py.VirtualSource(path.relative_to(out).as_posix(), name, file[name].shape, file[name].dtype)


def _check_alike(name: str, paths: Sequence[Path], arrays: Sequence[h5py.VirtualSource]) -> None:
    for path, array in zip(paths, arrays, strict=True):
        if array.shape[1:] != arrays[0].shape[1:] or array.dtype != arrays[0].dtype:
            raise ValueError(
                f"{name} of {path} has the shape {array.shape[1:]} and type {array.dtype}, but that of {paths[0]} "
                f"{arrays[0].shape[1:]} and {arrays[0].dtype}: give classes of one run"
            )


def _link(path: Path, parts: Sequence[ClassFiles]) -> None:
    """Write a file that refers to the analyses of the classes, with the position of their samples in the data set."""
    start = 0
    with writing(path) as (file, _):
        for part in parts:
            source = part.analysis.relative_to(path.parent).as_posix()
            with reading(part.analysis) as analysis:
                index = analysis[part.wordnet_id]["index"][:]
            group = file.create_group(part.wordnet_id)
            group["index"] = (start + index).astype(np.uint32)
            for name in ("cluster", "embedding"):
                group[name] = h5py.ExternalLink(source, f"/{part.wordnet_id}/{name}")
            start += _length(part)


def _length(part: ClassFiles) -> int:
    with reading(part.dataset) as file:
        return len(file["data"])


def _image_shape(part: ClassFiles) -> tuple[int, int]:
    with reading(part.dataset) as file:
        return file["data"].shape[-2:]


def _write(path: Path, text: str) -> None:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
