"""What a repair is: methods, decisions to act, what a network does after it, and comparisons over seeds.

Pure parts. Networks are trained and corrected in `unhans.experiment.repair`, concepts are fitted in `unhans.clarc`.
"""

from unhans.repair.assessment import Assessment, AssessmentPlan, assess
from unhans.repair.known_artifact import KnownArtifact, OnBench, Source
from unhans.repair.ledger import Act, Decision, Ledger
from unhans.repair.outcome import (
    BEFORE,
    CORRECTING,
    METHODS,
    NUMBERS,
    POST_HOC,
    ConceptSource,
    FittedConcept,
    Method,
    Outcome,
    Point,
    Summary,
    TableTwo,
    by_method,
    summaries,
    table_two_of,
)
from unhans.repair.proven_artifact import ProvenArtifact
from unhans.repair.right_reasons_loss import Reason, penalty

__all__ = [
    "BEFORE",
    "CORRECTING",
    "METHODS",
    "NUMBERS",
    "POST_HOC",
    "Act",
    "Assessment",
    "AssessmentPlan",
    "ConceptSource",
    "Decision",
    "FittedConcept",
    "KnownArtifact",
    "Ledger",
    "Method",
    "OnBench",
    "Outcome",
    "Point",
    "ProvenArtifact",
    "Reason",
    "Source",
    "Summary",
    "TableTwo",
    "assess",
    "by_method",
    "penalty",
    "summaries",
    "table_two_of",
]
