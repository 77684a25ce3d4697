"""A network, a data set and an artifact together, as experiments and callbacks see them.

Benches of data sets, which class an artifact belongs to and who carries it, the planted truth, monitored artifacts; the
clock and the records of audits; what callbacks ask of trainers and of the processes that train together. Mathematics
is below, commands are above.
"""

from unhans.harness.affected_class import by_isolated, by_picture, by_planted
from unhans.harness.artifact_samples import Indices, Masks, concept_features, samples_with_artifact
from unhans.harness.audit_records import AuditClock, ClassRecord, ClassRecords
from unhans.harness.audited_class import AuditedClass, ImageComparison, draw_audit_samples, find_cases
from unhans.harness.case_state import case_from_state, case_state
from unhans.harness.ground_truth import Planted, compare_with_planted, measure_pasted, planted_in
from unhans.harness.monitoring import MonitoredArtifact, Places, learned_since, monitored_artifacts
from unhans.harness.network_bench import (
    accuracy_of,
    bench_of,
    check_outputs,
    class_names,
    pixel_range,
    predicted_classes,
)
from unhans.harness.process_group import (
    OthersFailedError,
    Processes,
    buffers_of_first,
    most_seconds,
    processes_of,
    reduce_pending,
)
from unhans.harness.region_masks import Regions, region_masks
from unhans.harness.trainer_access import (
    check_not_compiled,
    check_single_process,
    dataset_of,
    network_of,
    new_folder,
    print_line,
    raise_misconfiguration,
    training_set,
    warn_if_random,
)

__all__ = [
    "AuditClock",
    "AuditedClass",
    "ClassRecord",
    "ClassRecords",
    "ImageComparison",
    "Indices",
    "Masks",
    "MonitoredArtifact",
    "OthersFailedError",
    "Places",
    "Planted",
    "Processes",
    "Regions",
    "accuracy_of",
    "bench_of",
    "buffers_of_first",
    "by_isolated",
    "by_picture",
    "by_planted",
    "case_from_state",
    "case_state",
    "check_not_compiled",
    "check_outputs",
    "check_single_process",
    "class_names",
    "compare_with_planted",
    "concept_features",
    "dataset_of",
    "draw_audit_samples",
    "find_cases",
    "learned_since",
    "measure_pasted",
    "monitored_artifacts",
    "most_seconds",
    "network_of",
    "new_folder",
    "pixel_range",
    "planted_in",
    "predicted_classes",
    "print_line",
    "processes_of",
    "raise_misconfiguration",
    "reduce_pending",
    "region_masks",
    "samples_with_artifact",
    "training_set",
    "warn_if_random",
]
