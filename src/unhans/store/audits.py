"""One HDF5 file per audited class, from which every figure and table can be made again."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from scipy.sparse import csr_array, issparse

from unhans.attribution.heatmap import scale
from unhans.spray.estimator import SpRAy
from unhans.spray.finding import ClassAudit, Cluster
from unhans.store.atomic import replacing

KIND, VERSION = "unhans class audit", 2
FORMAT = f"{KIND} {VERSION}"
OPTIONAL = ("split", "target")  # arrays that an audit may lack
NUMBERS = [field.name for field in fields(Cluster) if field.name != "members"]


def save_audit(
    path: str | os.PathLike[str], audit: ClassAudit, precision: Literal["float16", "float32"] = "float16"
) -> None:
    """Write everything an audit found in one class to an HDF5 file, whole or not at all.

    With float16 each heatmap is stored divided by its maximum, so nothing overflows or vanishes; a value comes back
    within 1/2048 of itself. float32 is exact and takes twice the room (15 instead of 7.5 MB per 75 maps of 224 × 224).

    Raises:
        OSError: the file cannot be written.
    """
    memory = io.BytesIO()  # HDF5 on a full disk aborts in destructors; plain bytes fail with one clean error
    with h5py.File(memory, "w") as file:
        file.attrs.update(format=FORMAT, label=audit.label, name=audit.name, description=audit.description)
        file.update({"index": audit.index, "prediction": audit.prediction, "rank": audit.rank})
        file.update({name: getattr(audit, name) for name in OPTIONAL if getattr(audit, name) is not None})
        _write_heatmaps(file, audit.heatmaps[:], precision)
        write_spray(file.create_group("spray"), audit.spray)
        if audit.control is not None:
            write_spray(file.create_group("control"), audit.control)
        write_clusters(file.create_group("clusters"), audit.clusters)
    with replacing(path) as part:
        part.write_bytes(memory.getbuffer())


def load_audit(path: str | os.PathLike[str]) -> ClassAudit:
    """Read a file that `save_audit` wrote.

    The estimators come back fitted; a parameter that is no plain value (a metric given as a function) comes back as
    its name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, something else than such an audit, or of another version.
    """
    content = Path(path).read_bytes()
    try:
        with h5py.File(io.BytesIO(content)) as file:
            version = _version(file)
            if version == VERSION:
                return _read(file)
    except (OSError, KeyError, RuntimeError) as error:  # what h5py raises for foreign, cut or incomplete files
        raise ValueError(f"{os.fspath(path)} is not a complete audit (expected {FORMAT!r}): {error}") from error
    age = "a newer" if version > VERSION else "an older"
    raise ValueError(f"{os.fspath(path)} was written by {age} version of unhans (format {version}; this is {VERSION})")


def _version(file: h5py.File) -> int:
    kind, _, version = str(file.attrs.get("format", "")).rpartition(" ")
    if kind != KIND or not version.isdecimal():
        raise KeyError("format")
    return int(version)


def _read(file: h5py.File) -> ClassAudit:
    return ClassAudit(
        label=int(file.attrs["label"]),
        name=file.attrs["name"],
        description=file.attrs["description"],
        index=file["index"][:],
        heatmaps=file["heatmaps"][:].astype(np.float32) * file["peak"][:],
        prediction=file["prediction"][:],
        rank=file["rank"][:],
        spray=read_spray(file["spray"]),
        control=read_spray(file["control"]) if "control" in file else None,
        clusters=read_clusters(file["clusters"]),
        **{name: file[name][:] for name in OPTIONAL if name in file},
    )


def _write_heatmaps(file: h5py.File, maps: np.ndarray, precision: str) -> None:
    half = precision == "float16"
    peak = abs(maps).max((1, 2), keepdims=True) if half else np.ones((len(maps), 1, 1), np.float32)
    stored = scale(maps) if half else maps
    file.create_dataset("heatmaps", data=stored.astype(precision), chunks=(1, *maps.shape[1:]))  # read one by one
    file["peak"] = peak


def write_clusters(group: h5py.Group, clusters: Sequence[Cluster]) -> None:
    """Write clusters in their order."""
    group.attrs["numbers"] = _json([{name: getattr(cluster, name) for name in NUMBERS} for cluster in clusters])
    group["members"] = np.array([cluster.members for cluster in clusters], dtype=bool)


def read_clusters(group: h5py.Group) -> tuple[Cluster, ...]:
    """Read clusters that `write_clusters` wrote."""
    numbers = json.loads(group.attrs["numbers"])
    return tuple(Cluster(members=members, **each) for members, each in zip(group["members"][:], numbers, strict=True))


def write_spray(group: h5py.Group, spray: SpRAy) -> None:
    """Write an estimator: its parameters and everything that was fitted."""
    fitted = {name: value for name, value in vars(spray).items() if name.endswith("_")}
    for name, value in fitted.items():
        if issparse(value):
            _write_sparse(group.create_group(name), value)
        elif isinstance(value, np.ndarray):
            group[name] = value
        elif name == "clusterings_":
            group.create_group(name).update(value)
    numbers = {name: value for name, value in fitted.items() if name not in group}
    group.attrs.update(parameters=_json(spray.get_params(deep=False)), numbers=_json(numbers), arrays=list(group))


def read_spray(group: h5py.Group) -> SpRAy:
    """Read an estimator that `write_spray` wrote."""
    spray = SpRAy(**json.loads(group.attrs["parameters"]))
    for name, value in json.loads(group.attrs["numbers"]).items():
        setattr(spray, name, value)
    for name in group.attrs["arrays"]:
        node = group[name]
        setattr(spray, name, _read_group(node) if isinstance(node, h5py.Group) else node[:])
    return spray


def _write_sparse(group: h5py.Group, matrix: Any) -> None:
    rows = csr_array(matrix)
    group.update({"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": rows.shape})


def _read_group(group: h5py.Group) -> csr_array | dict[str, np.ndarray]:
    if "indptr" not in group:
        return {name: values[:] for name, values in group.items()}
    return csr_array((group["data"][:], group["indices"][:], group["indptr"][:]), shape=tuple(group["shape"][:]))


def _json(values: Any) -> str:
    return json.dumps(values, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, Iterable) else getattr(value, "__name__", repr(value))
