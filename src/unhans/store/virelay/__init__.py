"""Heatmaps and analyses of a class in the layout that ViRelAy reads."""

from unhans.store.virelay.analyses import load_analysis, load_audit, save_analysis, save_audit
from unhans.store.virelay.attributions import MapWriter, StoredMaps, open_maps, writing_maps
from unhans.store.virelay.class_files import ClassFiles, class_files, wordnet_id, write_project

__all__ = [
    "ClassFiles",
    "MapWriter",
    "StoredMaps",
    "class_files",
    "load_analysis",
    "load_audit",
    "open_maps",
    "save_analysis",
    "save_audit",
    "wordnet_id",
    "write_project",
    "writing_maps",
]
