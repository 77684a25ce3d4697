"""Where the results of one class lie in a run's folder, and the files by which ViRelAy opens the whole run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import yaml

from unhans.store.atomic import file_stem, replacing
from unhans.store.codec import write_json
from unhans.store.hdf5 import reading, writing

WORDNET = re.compile(r"n\d{8}")
ATTRIBUTION = ("attribution", "prediction", "label")
DATASET = ("data", "label")


@dataclass(frozen=True)
class ClassFiles:
    """The files of one class, whether they exist or not.

    Attributes:
        folder: of the class.
        wordnet_id: the name of the class inside HDF5 files, which have the layout that ViRelAy reads.
        attribution: heatmaps and logits.
        dataset: images, as a person sees them.
        analysis: what SpRAy found.
        page: the class page, a picture.
        report: what the report says about the class.
    """

    folder: Path
    wordnet_id: str

    attribution = property(lambda self: self.folder / "attribution.h5")
    dataset = property(lambda self: self.folder / "dataset.h5")
    analysis = property(lambda self: self.folder / "analysis.h5")
    page = property(lambda self: self.folder / "page.jpg")
    report = property(lambda self: self.folder / "report.zlib")


def class_files(out: str | os.PathLike[str], label: int, name: str) -> ClassFiles:
    """Return the files of class `label` in a run's folder: `out/classes/0003-garbage_truck/`."""
    return ClassFiles(Path(out) / "classes" / file_stem(label, name), wordnet_id(label, name))


def wordnet_id(label: int, name: str) -> str:
    """Name a class for ViRelAy: a name that is a WordNet id (n and eight digits) itself, another like its files.

    It is unique in a data set and safe as the name of an HDF5 group, whatever the class is called.
    """
    return name if WORDNET.fullmatch(name) else file_stem(label, name)


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

    Args:
        out: the run's folder.
        name, model, method, dataset: what ViRelAy shows.
        classes: the names of all.
        done: labels with an analysis, in the order in which ViRelAy shall list them. Without any, nothing is written.
        strategy: which class samples were explained for.

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
    write_json(out / "label-map.json", labels)
    project = _project(name, model, method, strategy, dataset or name, _image_shape(parts[0])[-2:])
    with replacing(out / "project.yaml") as part:
        part.write_text(yaml.safe_dump(project, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _project(
    name: str, model: str, method: str, strategy: str, dataset: str, image_shape: tuple[int, int]
) -> dict[str, Any]:
    height, width = image_shape
    images = {"name": dataset, "type": "hdf5", "path": "dataset.h5", "input_width": width, "input_height": height}
    images |= {"down_sampling_method": "none", "up_sampling_method": "none"}
    maps = {"attribution_method": method, "attribution_strategy": strategy, "sources": ["attribution.h5"]}
    analyses = [{"analysis_method": "SpRAy", "sources": ["analysis.h5"]}]
    named = {"name": name, "model": model, "label_map": "label-map.json"}
    return {"project": named | {"dataset": images, "attributions": maps, "analyses": analyses}}


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
            start += _image_shape(part)[0]


def _image_shape(part: ClassFiles) -> tuple[int, ...]:
    """The shape (n, C, H, W) of the stored images."""
    with reading(part.dataset) as file:
        return file["data"].shape
