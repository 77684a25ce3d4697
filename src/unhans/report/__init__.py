"""What people see: tables, figures, sentences, pages, and what loggers get.

`text` says results in sentences, `tables` and `figures` show them, `files` writes what belongs to one audit, `html` the
report, `loggers` sends to W&B and others. Nothing is computed here that a result does not hold.
"""

from unhans.report.progress import Say, Stages, progress, stages
from unhans.report.ranking import Ranking

__all__ = [
    "Ranking",
    "Say",
    "Stages",
    "progress",
    "stages",
]
