"""Cases on disk: what was isolated and tested of a class, written and read again."""

from unhans.experiment.cases.case_store import (
    Tested,
    case_files,
    earlier_section,
    load_case,
    load_cases,
    remove_cases,
    save_case,
    save_verdict,
)
from unhans.experiment.cases.kept_case import kept_case

__all__ = [
    "Tested",
    "case_files",
    "earlier_section",
    "kept_case",
    "load_case",
    "load_cases",
    "remove_cases",
    "save_case",
    "save_verdict",
]
