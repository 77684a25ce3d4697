"""One HTML file with everything a SpRAy run found, to look at in a browser without a network."""

from unhans.report.html.page import write_report
from unhans.report.html.part import class_part, pack
from unhans.report.html.proof import proof_part, says_proven, with_verdict
from unhans.report.html.repair import repair_part
from unhans.report.html.repair_page import write_repair_report
from unhans.report.html.thumbnails import Thumbnails, thumbnails_for

__all__ = [
    "Thumbnails",
    "class_part",
    "pack",
    "proof_part",
    "repair_part",
    "says_proven",
    "thumbnails_for",
    "with_verdict",
    "write_repair_report",
    "write_report",
]
