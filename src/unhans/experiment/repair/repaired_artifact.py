"""The artifact that a repair starts from: planted, a picture file, or one that was isolated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from unhans.artifacts import Placement, can_be_put_on
from unhans.class_names import class_index
from unhans.effects import Case
from unhans.experiment.cases import find_case
from unhans.experiment.effect import read_artifact
from unhans.experiment.run import Subject
from unhans.experiment.survey import weights_of
from unhans.harness import by_isolated, by_picture, by_planted
from unhans.repair import KnownArtifact
from unhans.report import progress
from unhans.report.text import failures_sentence
from unhans.terminal import ConfigurationError


def affected_of(
    subject: Subject,
    source: str | None = None,
    label: int | str | None = None,
    *,
    placement: Placement = "top_left",
    size: float | None = None,
    fill: str = "telea",
) -> KnownArtifact:
    """Return the artifact that a repair starts from, with the class and the samples that it belongs to.

    Args:
        subject: the network and its data.
        source: None for the artifact that the data plant; a picture file (RGBA); or what analysis=effect isolated: its
            folder, or the JSON file of a case in it.
        label: the class, by name or index. A picture needs it; a folder does where artifacts of several classes were
            isolated.
        placement, size: where a picture goes, and its share of the image; None keeps its own pixels. One of the
            images' size lies where it lies.
        fill: how an isolated artifact is taken away from the samples in which it is found.

    Raises:
        ValueError, OSError: the data plant nothing, the class does not exist or is another than the artifact's, the
            picture does not fit, or nothing was isolated in the folder.
    """
    named = None if label is None else class_index(label, subject.data.classes, "the artifact's class")
    if source is None:
        return _planted(subject, named)
    path = Path(source)
    if path.is_dir() or path.suffix == ".json":
        return _kept(subject, path, named, fill)
    if not path.is_file():
        raise FileNotFoundError(
            f"the artifact to repair expects a picture, the folder of analysis=effect or a case in it, got nothing at "
            f"{path}"
        )
    return _picture(subject, source, named, placement, size)


def affected_by_case(subject: Subject, case: Case, fill: str = "telea") -> KnownArtifact:
    """Return the artifact of a case with the samples that carry it; raises ValueError where none was isolated."""
    if not can_be_put_on(case.isolated):
        why = failures_sentence(case.failures)
        raise ConfigurationError(f"the case of class {case.name!r} isolated nothing that could be repaired. {why}")
    total = int((subject.both.labels == case.label).sum())
    with progress(total) as say:
        found = by_isolated(
            case.isolated, case.label, case.name, subject.splits, subject.size, subject.batch_size, fill,
            lambda images: say(f"looking for the artifact of class {case.name}", images),
        )  # fmt: skip
    return replace(found, case=case)


def _planted(subject: Subject, named: int | None) -> KnownArtifact:
    found = by_planted(subject.splits, subject.size)
    if found is None:
        raise ConfigurationError(
            "there is no artifact to repair: none is given (a picture, or the folder of analysis=effect), and the data "
            "plant none (artifact=none)."
        )
    if named not in (None, found.label):
        other = subject.data.classes[named]
        raise ConfigurationError(f"the data plant their artifact in class {found.class_name!r}, not in {other!r}.")
    return found


def _picture(subject: Subject, file: str, named: int | None, placement: Placement, size: float | None) -> KnownArtifact:
    if named is None:
        raise ConfigurationError(
            f"the picture {file} is an artifact of one class, which must be named as classes=[name]; got none."
        )
    name, side = subject.data.classes[named], subject.data.image_size
    artifact = read_artifact(file, name, placement, size, side, subject.seed)
    return by_picture(artifact, named, name, Path(file).name, subject.splits, subject.size)


def _kept(subject: Subject, path: Path, named: int | None, fill: str) -> KnownArtifact:
    """The artifact of a case on the disk; its class may have another number in these data."""
    kept = find_case(path, None if named is None else subject.data.classes[named])
    label = class_index(kept.case.name, subject.data.classes, f"the class of the artifact in {kept.files.mark}")
    found = affected_by_case(subject, replace(kept.case, label=label), fill)
    return replace(found, other_network=kept.weights != weights_of(subject.network))
