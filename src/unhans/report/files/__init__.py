"""The files of one audit, one case, one set of heatmaps, written whole or not at all."""

from unhans.report.files.audit_files import AuditPages, charted, write_course
from unhans.report.files.case_files import FIGURES, case_record, redraw_effect, write_case
from unhans.report.files.evolution_file import evolution_pairs, load_evolution, save_evolution
from unhans.report.files.heatmap_pages import HeatmapPages, Looked, OutputSum

__all__ = [
    "FIGURES",
    "AuditPages",
    "HeatmapPages",
    "Looked",
    "OutputSum",
    "case_record",
    "charted",
    "evolution_pairs",
    "load_evolution",
    "redraw_effect",
    "save_evolution",
    "write_case",
    "write_course",
]
