"""The report as one self-contained page of HTML."""

from unhans.report.html.audit_page import write_report
from unhans.report.html.case_html import proof_part, says_proven, with_verdict
from unhans.report.html.class_gallery import Thumbnails, class_part, pack, thumbnails_for
from unhans.report.html.repair_page import write_repair_report

__all__ = [
    "Thumbnails",
    "class_part",
    "pack",
    "proof_part",
    "says_proven",
    "thumbnails_for",
    "with_verdict",
    "write_repair_report",
    "write_report",
]
