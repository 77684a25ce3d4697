"""What `analysis=effect` refuses before any long work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unhans.effects import Kind
from unhans.experiment.run import ConfigurationError, Subject


def check_input(
    subject: Subject,
    classes: Sequence[str] | None,
    kind: Kind,
    fills: Sequence[str],
    files: Mapping[str, str | None],
) -> None:
    """Refuse what does not go together, and classes that do not exist."""
    layer = getattr(subject.attribution, "layer", None)
    if layer is not None:
        raise ConfigurationError(f"analysis=effect needs heatmaps of the input; attribution.layer={layer!r}.")
    given = [name for name, file in files.items() if file is not None]
    if "artifact" in given and len(given) > 1:
        raise ConfigurationError(f"analysis.artifact is tested as it is; leave analysis.{given[1]} out.")
    if "truth" in fills and subject.data.artifact is None:
        raise ConfigurationError("the fill 'truth' needs a planted artifact, and the data have none (artifact=none).")
    if "mask" in given and kind in ("free", "global"):
        raise ConfigurationError(f"analysis.mask tells where a fixed artifact lies; leave analysis.kind={kind} out.")
    subject.subsets(classes)
    for name in given:
        if len(classes or ()) != 1:
            raise ConfigurationError(
                f"analysis.{name} belongs to one class, named as analysis.classes=[…]; got {len(classes or ())} names."
            )


def check_listed(subject: Subject, listed: frozenset[tuple[str, str]], classes: Sequence[str] | None) -> None:
    """Refuse a list of samples that holds none of the class that is named."""
    if not listed:
        return
    ((label, indices),) = subject.subsets(classes).items()
    paths = {path for path, _ in listed}
    if paths.isdisjoint(subject.dataset.paths[i] for i in indices):
        name = subject.data.classes[label]
        raise ConfigurationError(
            f"analysis.members expects paths of class {name!r} in split={subject.split}, got {len(paths)} others."
        )
