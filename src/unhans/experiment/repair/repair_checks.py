"""What a repair refuses before any long work."""

from __future__ import annotations

from collections.abc import Sequence

from unhans.artifacts import check_part
from unhans.experiment.repair.concept_fit import Concepts
from unhans.experiment.repair.repair_options import Settings
from unhans.experiment.run import ConfigurationError, Subject
from unhans.harness import Affected
from unhans.repair import CORRECTING, Method


def name_of(classes: Sequence[str] | None) -> str | None:
    """Return the one class that is named, if any; ConfigurationError for several: an artifact belongs to one."""
    if len(classes or ()) > 1:
        named = ", ".join(map(str, classes))
        raise ConfigurationError(f"an artifact belongs to one class, named as classes=[…]; got {named}.")
    return str(classes[0]) if classes else None


def check_repair(subject: Subject, affected: Affected, settings: Settings, methods: Sequence[Method]) -> None:
    """Refuse what one of the methods could not do."""
    if set(methods) & set(CORRECTING):
        Concepts(subject, affected, settings).check()
    if "right_reasons" in methods:
        check_part(affected.artifact, "right_reasons")
        check_carriers(affected)
        check_not_mirrored(subject)


def check_not_mirrored(subject: Subject) -> None:
    """Refuse training on relevance inside the artifact where images are mirrored and its masks are not."""
    if subject.data.flip:
        raise ConfigurationError(
            "right_reasons knows where the artifact lies on images as they are, but data.flip=true mirrors them; give "
            "data.flip=false or leave it out of methods."
        )


def check_carriers(affected: Affected) -> None:
    """Refuse training on relevance inside the artifact where no training sample is known to carry it."""
    if not affected.carriers["train"].any():
        raise ConfigurationError(
            "right_reasons needs training images that are known to carry the artifact, got none; leave it out of "
            "methods, or give the folder of analysis=effect as artifact=…."
        )
