"""Files that are whole or absent: atomic writes, locks, fingerprints, HDF5; for ViRelAy in `unhans.store.virelay`.

Nothing here knows what a verdict or a figure is.
"""

from unhans.store.atomic import file_stem, replacing, write_csv, write_figure
from unhans.store.fingerprint import differences, digest
from unhans.store.hdf5 import DamagedError, stored_key
from unhans.store.lock import held, sweep
from unhans.store.virelay import (
    ClassFiles,
    MapWriter,
    StoredMaps,
    class_files,
    load_analysis,
    load_audit,
    open_maps,
    save_analysis,
    save_audit,
    wordnet_id,
    write_project,
    writing_maps,
)

__all__ = [
    "ClassFiles",
    "DamagedError",
    "MapWriter",
    "StoredMaps",
    "class_files",
    "differences",
    "digest",
    "file_stem",
    "held",
    "load_analysis",
    "load_audit",
    "open_maps",
    "replacing",
    "save_analysis",
    "save_audit",
    "stored_key",
    "sweep",
    "wordnet_id",
    "write_csv",
    "write_figure",
    "write_project",
    "writing_maps",
]
