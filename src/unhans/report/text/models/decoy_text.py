"""What is said of trainings with a decoy: from which coverage on do networks go by it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unhans.comparison import ELSEWHERE, DecoyGroup, DecoyStudy, smallest_proven
from unhans.report.text.number_format import percent, range_written, short_number
from unhans.stats import Estimate

READING_DECOYS = (
    "Without and with: accuracy on the same validation images without the decoy and with it on all of them. A network "
    "that goes by the decoy loses accuracy on the target without it, and calls other images the target with it."
)
ALONE_READING = (
    "Decoy only: images that show the decoy and no class, or one that the network does not know (other classes), "
    "called the target; below, the same images without it."
)


def decoy_headline(study: DecoyStudy) -> str:
    """Say in how many trainings the decoy is proven to be used."""
    proven, of = (sum(count) for count in zip(*((one.proven, len(one.models)) for one in study.groups), strict=True))
    return f"{proven} of {of} trainings are proven to go by the decoy of class {study.target}"


def decoy_sentences(study: DecoyStudy) -> Iterator[str]:
    """Say for every decoy the smallest coverage at which its effect is proven, and what the numbers rest on."""
    for curve, groups in study.curves.items():
        yield smallest_sentence(curve, groups)
    yield f"All trainings see the same {len(study.labels)} validation images of {len(study.names)} classes."
    if all(len(one.models) == 1 for one in study.groups):
        yield (
            "Each number is that of one training: its interval tells what other images would change, not what another "
            "seed would. Add trainings of other seeds."
        )


def smallest_sentence(curve: str, groups: Sequence[DecoyGroup]) -> str:
    """Say from which coverage on the effect of a decoy on other classes is proven."""
    tried = ", ".join(dict.fromkeys(coverage_said(one.coverage) for one in groups))
    smallest = smallest_proven(groups)
    if smallest is None:
        return (
            f"{curve}: at no coverage (tried: {tried}) is an effect on other classes (Δp ≥ 0.05) proven in every run."
        )
    return (
        f"{curve}: the smallest coverage (tried: {tried}) at which its effect on other classes (Δp ≥ 0.05) is proven "
        f"in every run is {coverage_said(smallest)}{_in_some(groups, smallest)}."
    )


def _in_some(groups: Sequence[DecoyGroup], smallest: float) -> str:
    """Say where it is proven in some runs already."""
    some = min((one.coverage for one in groups if one.proven), default=smallest)
    return f"; in some run it is at {coverage_said(some)}" if some < smallest else ""


def group_title(group: DecoyGroup) -> str:
    """Name trainings that are told of together."""
    models = f"{len(group.models)} seeds" if len(group.models) > 1 else f"run {group.models[0]}"
    return f"{group.curve}, coverage {coverage_said(group.coverage)} ({models})"


def verdicts_said(group: DecoyGroup) -> str:
    """Write the verdict of one training, or in how many of several the effect is proven."""
    if len(group.models) == 1:
        return group.verdicts[0]
    return f"{group.proven} of {len(group.models)} proven"


def coverage_said(coverage: float) -> str:
    """Write a coverage, such as "0.25"."""
    return short_number(coverage)


def share_and_interval(one: Estimate) -> tuple[str, str]:
    """Write a share and its interval."""
    return percent(one.mean), range_written(one.interval)


def class_said(study: DecoyStudy, name: str) -> str:
    """Name a row: a class, the target, or the mean over the others."""
    if name == ELSEWHERE:
        return f"mean of the {len(study.names) - 1} others" if len(study.names) > 2 else "the other class"
    return f"{name} (target)" if name == study.target else name
