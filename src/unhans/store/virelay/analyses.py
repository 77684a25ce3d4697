"""What SpRAy found in one class, on disk, in ViRelAy's layout; every figure and table can be made of it again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from unhans.attribution import scale
from unhans.spray import ClassAudit, Cluster, SpRAy, Suspicion
from unhans.store.codec import jsonable
from unhans.store.hdf5 import read_values, reading, write_key, write_values, writing
from unhans.store.virelay.attributions import StoredMaps, open_maps
from unhans.store.virelay.class_files import ClassFiles

ARRAYS = ("index", "prediction", "rank", "split", "target")  # the last two may be absent
NUMBERS = [field.name for field in fields(Cluster) if field.name != "members"]
OURS = "unhans"  # the group inside that of the class which ViRelAy does not look at

Clustering = tuple[str, NDArray[np.integer], int]


def save_audit(
    path: str | os.PathLike[str], audit: ClassAudit, precision: Literal["float16", "float32"] = "float16"
) -> None:
    """Write everything an audit found in one class to an HDF5 file of its own, whole or not at all.

    With float16 each heatmap is stored divided by its maximum, so nothing overflows or vanishes; a value comes back
    within 1/2048 of itself. float32 is exact and takes twice the room (15 instead of 7.5 MB per 75 maps of 224 × 224).

    Raises:
        OSError: the file cannot be written.
    """
    maps, half = audit.heatmaps[:], precision == "float16"
    with writing(path) as (file, _):
        _write_audit(file, audit)
        stored = (scale(maps) if half else maps).astype(precision)
        file.create_dataset("heatmaps", data=stored, chunks=(1, *maps.shape[1:]))  # read one by one
        file["peak"] = abs(maps).max((1, 2), keepdims=True) if half else np.ones((len(maps), 1, 1), np.float32)


def load_audit(path: str | os.PathLike[str]) -> ClassAudit:
    """Read a file that `save_audit` wrote.

    The estimators come back fitted; a parameter that is no plain value (a metric given as a function) comes back as
    its name.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it was cut or is incomplete.
        ValueError: it is foreign, or of another version.
    """
    with reading(path) as file:
        return _read_audit(file, file["heatmaps"][:].astype(np.float32) * file["peak"][:])


def _write_audit(group: h5py.Group, audit: ClassAudit) -> None:
    """Write all of an audit but its heatmaps."""
    write_values(group, "class", {name: getattr(audit, name) for name in ("label", "name", "description")})
    group.update({name: getattr(audit, name) for name in ARRAYS if getattr(audit, name) is not None})
    write_clusters(group.create_group("clusters"), audit.clusters)
    write_spray(group.create_group("spray"), audit.spray)
    if audit.control is not None:
        write_spray(group.create_group("control"), audit.control)


def _read_audit(group: h5py.Group, heatmaps: Any) -> ClassAudit:
    return ClassAudit(
        **{name: group[name][:] if name in group else None for name in ARRAYS},
        **read_values(group, "class"),
        heatmaps=heatmaps,
        spray=read_spray(group["spray"]),
        control=read_spray(group["control"]) if "control" in group else None,
        clusters=read_clusters(group["clusters"]),
    )


def write_clusters(group: h5py.Group, clusters: Sequence[Cluster]) -> None:
    """Write clusters in their order."""
    numbers = [{name: getattr(cluster, name) for name in NUMBERS} for cluster in clusters]
    group.attrs["numbers"] = json.dumps(jsonable(numbers))
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
    plain = {"parameters": spray.get_params(deep=False), "numbers": numbers}
    group.attrs.update({name: json.dumps(jsonable(values)) for name, values in plain.items()}, arrays=list(group))


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


def save_analysis(files: ClassFiles, audit: ClassAudit, suspicion: Suspicion, key: Mapping[str, Any]) -> None:
    """Write what SpRAy found in a class whose heatmaps `writing_maps` stored, whole or not at all.

    ViRelAy reads `/<wordnet id>/index` (rows of the stored maps), `embedding` and `cluster`; the rest lies in `unhans`
    beside them. Of the planes only that of the estimator is there, if it made one. ViRelAy takes the names of all
    clusterings from the first class, so every class has the same: where it is too small for a k, the largest k that it
    allows stands under that name. Clusters count from 0, ViRelAy shows them from 1; noise is −1. In `striking` 0 is the
    most striking cluster and 1 all others, in `cut` 0 is the striking side of the smallest normalised cut; where there
    is none, all are 1.

    Raises:
        ValueError: the audit holds samples whose heatmaps are not stored.
        OSError: the file cannot be written.
    """
    rows = _rows(open_maps(files), audit)
    with writing(files.analysis) as (file, _):
        group = file.create_group(files.wordnet_id)
        group["index"] = rows.astype(np.uint32)
        _write_embeddings(group.create_group("embedding", track_order=True), audit.spray)
        _write_clusterings(group.create_group("cluster", track_order=True), audit)
        ours = group.create_group(OURS)
        _write_audit(ours, audit)
        write_values(ours, "suspicion", asdict(suspicion))
        write_key(ours, key)


def load_analysis(files: ClassFiles) -> tuple[ClassAudit, Suspicion]:
    """Read what `save_analysis` wrote; the heatmaps stay in the attribution file until they are asked for.

    Raises:
        FileNotFoundError: the analysis or the heatmaps are missing.
        DamagedError: a file was cut or is incomplete.
        ValueError: a file is foreign, or from a newer version.
    """
    maps = open_maps(files).maps
    with reading(files.analysis) as file:
        ours = file[f"{files.wordnet_id}/{OURS}"]
        audit = _read_audit(ours, maps.take(file[files.wordnet_id]["index"][:]))
        return audit, Suspicion(**read_values(ours, "suspicion"))


def _write_embeddings(group: h5py.Group, spray: SpRAy) -> None:
    """Write the plane of the estimator and Φ; the eigenvalues with each, for ViRelAy to plot them.

    Eigenvalues and columns of Φ descend, as ViRelAy takes for granted when it draws the smallest on the left. It draws
    around the origin, so the plane is centred.
    """
    if spray.projection is not None:
        group[spray.projection] = _centred(spray.projection_)
    group["spectral"] = spray.embedding_[:, ::-1].astype(np.float32)
    for name, points in group.items():
        points.attrs.update(eigenvalue=spray.eigenvalues_[::-1].astype(np.float32))
        if name != "spectral":
            points.attrs.update(embedding="spectral")


def _centred(points: NDArray[np.floating]) -> NDArray[np.float32]:
    return (points - (points.min(0) + points.max(0)) / 2).astype(np.float32)


def _write_clusterings(group: h5py.Group, audit: ClassAudit) -> None:
    for name, labels, k in _clusterings(audit):
        group[name] = labels.astype(np.int16)
        group[name].attrs.update(embedding="spectral", k=k)


def _clusterings(audit: ClassAudit) -> Iterator[Clustering]:
    """Every clustering under the name that ViRelAy shows, the same names in every class, and its real k."""
    cut = next((cluster for cluster in audit.clusters if cluster.method == "cut"), None)
    for name, cluster in (("striking", audit.cluster), ("cut", cut)):
        yield name, np.ones(len(audit.index)) if cluster is None else ~cluster.members, 2
    for method, labels in getattr(audit.spray, "clusterings_", {}).items():
        yield method, labels, len(np.unique(labels[labels >= 0]))
    yield from _kmeans(audit.spray)


def _kmeans(spray: SpRAy) -> Iterator[Clustering]:
    used = spray.n_clusters_
    for k in sorted(spray.n_clusters):
        real = max(used[used <= k], default=used.min())
        yield f"k-means {k:02d}", spray.labels_[np.flatnonzero(used == real)[0]], int(real)


def _rows(stored: StoredMaps, audit: ClassAudit) -> NDArray[np.int64]:
    """Find the rows of the stored maps that the samples of an audit have."""
    split = stored.split[:1] if audit.split is None else audit.split
    split = np.broadcast_to(split, audit.index.shape)
    place = {pair: row for row, pair in enumerate(zip(stored.index.tolist(), stored.split.tolist(), strict=True))}
    rows = [place.get(pair, -1) for pair in zip(audit.index.tolist(), split.tolist(), strict=True)]
    if min(rows, default=-1) < 0:
        raise ValueError(
            f"the analysis of class {audit.name!r} holds samples whose heatmaps are not in {stored.maps.path}"
        )
    return np.array(rows, dtype=np.int64)
