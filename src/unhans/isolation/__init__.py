"""From a group of samples to the artifact that they share: a layer that can be pasted and a detector.

Marks at a fixed place (`fixed`), objects of one shape anywhere (`rigid`) or known by their colours (`colour`), and
changes of whole images (`whole`). Groups come from `unhans.spray`; whether the network uses the artifact is tested in
`unhans.effects`.
"""

from unhans.isolation.isolated import Detector, Isolated, Match, NothingIsolatedError
from unhans.isolation.isolation import isolate, isolate_all
from unhans.isolation.records import detector_from, detector_record, lasting, packed, unpacked

__all__ = [
    "Detector",
    "Isolated",
    "Match",
    "NothingIsolatedError",
    "detector_from",
    "detector_record",
    "isolate",
    "isolate_all",
    "lasting",
    "packed",
    "unpacked",
]
