"""Files that are either whole or absent: pictures, tables, audits."""

from unhans.store.atomic import replacing
from unhans.store.audits import load_audit, save_audit
from unhans.store.files import file_stem, write_csv, write_figure

__all__ = ["file_stem", "load_audit", "replacing", "save_audit", "write_csv", "write_figure"]
