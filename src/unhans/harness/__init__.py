"""A network, a data set and an artifact together, as experiments and callbacks see them.

Benches of data sets, which class an artifact belongs to and who carries it, the planted truth, monitored artifacts, and
the processes that train together. Mathematics is below, commands are above.
"""

from unhans.harness.affected_class import Affected, by_isolated, by_picture, by_planted
from unhans.harness.carriers import Wanted
from unhans.harness.class_record import ClassRecord
from unhans.harness.concept_samples import ConceptData, Indices
from unhans.harness.ground_truth import known, pasted_effect, with_more, with_truth
from unhans.harness.monitoring import (
    COLUMNS,
    Masks,
    Measured,
    Tracked,
    affected_by,
    check_one,
    measured,
    rows_of,
    scalars_of,
    standing,
    tracked,
)
from unhans.harness.network_bench import Planted, bench_of, class_names, planted_in, true_images
from unhans.harness.process_group import (
    OthersFailedError,
    Processes,
    buffers_of_first,
    most_seconds,
    processes_of,
    reduce_pending,
)
from unhans.harness.verification import Suspect, Verification, add_cases, add_pictures, due

__all__ = [
    "COLUMNS",
    "Affected",
    "ClassRecord",
    "ConceptData",
    "Indices",
    "Masks",
    "Measured",
    "OthersFailedError",
    "Planted",
    "Processes",
    "Suspect",
    "Tracked",
    "Verification",
    "Wanted",
    "add_cases",
    "add_pictures",
    "affected_by",
    "bench_of",
    "buffers_of_first",
    "by_isolated",
    "by_picture",
    "by_planted",
    "check_one",
    "class_names",
    "due",
    "known",
    "measured",
    "most_seconds",
    "pasted_effect",
    "planted_in",
    "processes_of",
    "reduce_pending",
    "rows_of",
    "scalars_of",
    "standing",
    "tracked",
    "true_images",
    "with_more",
    "with_truth",
]
