"""What SpRAy found in one class, on disk, in ViRelAy's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from unhans.spray.estimator import SpRAy
from unhans.spray.finding import ClassAudit
from unhans.spray.suspicion import Suspicion
from unhans.store.audits import read_clusters, read_spray, write_clusters, write_spray
from unhans.store.class_files import ClassFiles
from unhans.store.hdf5 import read_json, reading, write_json, write_key, writing
from unhans.store.maps import StoredMaps, open_maps

OURS = "unhans"  # the group inside that of the class which ViRelAy does not look at
ARRAYS = ("index", "prediction", "rank", "split", "target")

Clustering = tuple[str, NDArray[np.integer], int]


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
        _write_ours(group.create_group(OURS), audit, suspicion, key)


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
        audit = ClassAudit(
            **{name: ours[name][:] if name in ours else None for name in ARRAYS},
            **read_json(ours, "class"),
            heatmaps=maps.take(file[files.wordnet_id]["index"][:]),
            spray=read_spray(ours["spray"]),
            control=read_spray(ours["control"]) if "control" in ours else None,
            clusters=read_clusters(ours["clusters"]),
        )
        return audit, Suspicion(**read_json(ours, "suspicion"))


def _write_ours(group: h5py.Group, audit: ClassAudit, suspicion: Suspicion, key: Mapping[str, Any]) -> None:
    write_key(group, key)
    write_json(group, "suspicion", asdict(suspicion))
    write_json(group, "class", {name: getattr(audit, name) for name in ("label", "name", "description")})
    group.update({name: getattr(audit, name) for name in ARRAYS if getattr(audit, name) is not None})
    write_clusters(group.create_group("clusters"), audit.clusters)
    write_spray(group.create_group("spray"), audit.spray)
    if audit.control is not None:
        write_spray(group.create_group("control"), audit.control)


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
