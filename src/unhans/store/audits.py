"""One HDF5 file per audited class, from which every figure and table can be made again."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from scipy.sparse import csr_array, issparse

from unhans.attribution.heatmap import scale
from unhans.spray.estimator import SpRAy
from unhans.spray.finding import ClassAudit, Cluster
from unhans.store.atomic import replacing

FORMAT = "unhans class audit 1"


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
        _write_heatmaps(file, audit.heatmaps, precision)
        _write_spray(file.create_group("spray"), audit.spray)
        if audit.control is not None:
            _write_spray(file.create_group("control"), audit.control)
        if audit.cluster is not None:
            _write_cluster(file.create_group("cluster"), audit.cluster)
    with replacing(path) as part:
        part.write_bytes(memory.getbuffer())


def load_audit(path: str | os.PathLike[str]) -> ClassAudit:
    """Read a file that `save_audit` wrote.

    The estimators come back fitted; a parameter that is no plain value (a metric given as a function) comes back as
    its name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or something else than such an audit.
    """
    content = Path(path).read_bytes()
    try:
        with h5py.File(io.BytesIO(content)) as file:
            if file.attrs.get("format") != FORMAT:
                raise KeyError("format")
            return _read(file)
    except (OSError, KeyError, RuntimeError) as error:  # what h5py raises for foreign, cut or incomplete files
        raise ValueError(f"{os.fspath(path)} is not a complete audit (expected {FORMAT!r}): {error}") from error


def _read(file: h5py.File) -> ClassAudit:
    return ClassAudit(
        label=int(file.attrs["label"]),
        name=file.attrs["name"],
        description=file.attrs["description"],
        index=file["index"][:],
        heatmaps=file["heatmaps"][:].astype(np.float32) * file["peak"][:],
        prediction=file["prediction"][:],
        rank=file["rank"][:],
        spray=_read_spray(file["spray"]),
        cluster=_read_cluster(file["cluster"]) if "cluster" in file else None,
        control=_read_spray(file["control"]) if "control" in file else None,
    )


def _write_heatmaps(file: h5py.File, maps: np.ndarray, precision: str) -> None:
    half = precision == "float16"
    peak = abs(maps).max((1, 2), keepdims=True) if half else np.ones((len(maps), 1, 1), np.float32)
    stored = scale(maps) if half else maps
    file.create_dataset("heatmaps", data=stored.astype(precision), chunks=(1, *maps.shape[1:]))  # read one by one
    file["peak"] = peak


def _write_cluster(group: h5py.Group, cluster: Cluster) -> None:
    group.attrs.update(k=cluster.k, label=cluster.label, normalised_cut=cluster.normalised_cut)
    group["members"] = cluster.members


def _read_cluster(group: h5py.Group) -> Cluster:
    k, label, cut = (group.attrs[name] for name in ("k", "label", "normalised_cut"))
    return Cluster(k=int(k), label=int(label), members=group["members"][:], normalised_cut=float(cut))


def _write_spray(group: h5py.Group, spray: SpRAy) -> None:
    fitted = {name: value for name, value in vars(spray).items() if name.endswith("_")}
    for name, value in fitted.items():
        if issparse(value):
            _write_sparse(group.create_group(name), value)
        elif isinstance(value, np.ndarray):
            group[name] = value
    numbers = {name: value for name, value in fitted.items() if name not in group}
    group.attrs.update(parameters=_json(spray.get_params(deep=False)), numbers=_json(numbers), arrays=list(group))


def _read_spray(group: h5py.Group) -> SpRAy:
    spray = SpRAy(**json.loads(group.attrs["parameters"]))
    for name, value in json.loads(group.attrs["numbers"]).items():
        setattr(spray, name, value)
    for name in group.attrs["arrays"]:
        node = group[name]
        setattr(spray, name, _read_sparse(node) if isinstance(node, h5py.Group) else node[:])
    return spray


def _write_sparse(group: h5py.Group, matrix: Any) -> None:
    rows = csr_array(matrix)
    group.update({"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": rows.shape})


def _read_sparse(group: h5py.Group) -> csr_array:
    return csr_array((group["data"][:], group["indices"][:], group["indptr"][:]), shape=tuple(group["shape"][:]))


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, Iterable) else getattr(value, "__name__", repr(value))
