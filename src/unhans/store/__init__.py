"""Files that are either whole or absent: pictures, tables, audits, and whole runs that ViRelAy opens."""

from unhans.store.analysis import load_analysis, save_analysis
from unhans.store.atomic import replacing
from unhans.store.audits import load_audit, save_audit
from unhans.store.class_files import ClassFiles, class_files, wordnet_id
from unhans.store.files import file_stem, write_csv, write_figure
from unhans.store.hdf5 import DamagedError, stored_key
from unhans.store.key import differences, digest
from unhans.store.lock import held, sweep
from unhans.store.map_writer import MapWriter
from unhans.store.maps import StoredMaps, open_maps, writing_maps
from unhans.store.project import write_project

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
