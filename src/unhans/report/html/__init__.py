"""Reports as self-contained pages of HTML: `templates/` holds markup, `static/` styles and code, modules the data."""

from unhans.report.html.audit_page import write_report
from unhans.report.html.case_view import (
    CasePictures,
    CaseSection,
    ClassDecisions,
    Correction,
    case_pictures,
    read_pictures,
    write_pictures,
)
from unhans.report.html.class_gallery import Thumbnails, class_part, thumbnails_for
from unhans.report.html.comparison_page import ToldGroup, write_comparison_report
from unhans.report.html.context_page import (
    write_context_page,
)
from unhans.report.html.decoy_page import write_decoy_report
from unhans.report.html.faithfulness_page import (
    write_faithfulness_page,
    write_quality_page,
)
from unhans.report.html.influence_page import write_influence_page
from unhans.report.html.page import PageTable, render, write_table_page
from unhans.report.html.pair_page import write_pairs_page
from unhans.report.html.repair_page import write_repair_report
from unhans.report.html.swap_page import write_swap_page

__all__ = [
    "CasePictures",
    "CaseSection",
    "ClassDecisions",
    "Correction",
    "PageTable",
    "Thumbnails",
    "ToldGroup",
    "case_pictures",
    "class_part",
    "read_pictures",
    "render",
    "thumbnails_for",
    "write_comparison_report",
    "write_context_page",
    "write_decoy_report",
    "write_faithfulness_page",
    "write_influence_page",
    "write_pairs_page",
    "write_pictures",
    "write_quality_page",
    "write_repair_report",
    "write_report",
    "write_swap_page",
    "write_table_page",
]
