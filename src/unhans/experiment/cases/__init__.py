"""Cases on disk: what was isolated and tested of a class, written and read again."""

from unhans.experiment.cases.case_store import (
    TestedCase,
    case_files,
    earlier_cases,
    find_case,
    isolated_cases,
    load_case,
    load_cases,
    remove_cases,
    save_case,
    save_verdict,
)

__all__ = [
    "TestedCase",
    "case_files",
    "earlier_cases",
    "find_case",
    "isolated_cases",
    "load_case",
    "load_cases",
    "remove_cases",
    "save_case",
    "save_verdict",
]
