"""Files that are whole or absent: atomic writes, locks, fingerprints, HDF5; for ViRelAy in `unhans.store.virelay`.

Nothing here knows what a verdict or a figure is.
"""

from unhans.store.atomic import file_stem, held, plain_text, replacing, sweep, write_csv, write_figure
from unhans.store.codec import (
    export_json,
    json_text,
    jsonable,
    read_json,
    record_from,
    record_from_text,
    write_json,
)
from unhans.store.fingerprint import differences, digest
from unhans.store.hdf5 import DamagedError, stored_key

__all__ = [
    "DamagedError",
    "differences",
    "digest",
    "export_json",
    "file_stem",
    "held",
    "json_text",
    "jsonable",
    "plain_text",
    "read_json",
    "record_from",
    "record_from_text",
    "replacing",
    "stored_key",
    "sweep",
    "write_csv",
    "write_figure",
    "write_json",
]
