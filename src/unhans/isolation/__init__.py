"""From a group of samples to the artifact that they share: a layer that can be pasted and a detector.

Marks at a fixed place (`fixed`), objects anywhere, of one shape or known by their colours (`free`), and changes of
whole images (`whole`). Groups come from `unhans.spray`; whether the network uses the artifact is tested in
`unhans.effects`.
"""

from unhans.isolation.isolated import (
    Detector,
    Failure,
    FixedEvidence,
    FreeEvidence,
    GlobalEvidence,
    Isolated,
    LeftPart,
    Match,
    NothingIsolatedError,
    distinct,
)
from unhans.isolation.isolation import SearchKind, isolate
from unhans.isolation.records import from_record, lasting, packed, record_of, unpacked

__all__ = [
    "Detector",
    "Failure",
    "FixedEvidence",
    "FreeEvidence",
    "GlobalEvidence",
    "Isolated",
    "LeftPart",
    "Match",
    "NothingIsolatedError",
    "SearchKind",
    "distinct",
    "from_record",
    "isolate",
    "lasting",
    "packed",
    "record_of",
    "unpacked",
]
