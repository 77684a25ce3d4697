"""What was isolated, or given, in a sentence; and why nothing was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from unhans.artifacts import ChannelMap, ColourMatrix, Field, Jpeg, Spectrum, Transform
from unhans.effects import Case, GivenPicture, Untested
from unhans.isolation import Failure, FixedEvidence, FreeEvidence, GlobalEvidence, Isolated, LeftPart

OPAQUE = 0.95  # alpha from which a mark is called opaque
CHANNELS = ("red", "green", "blue")
MAPPED = {"black": (0.0, 0.0, 0.0), "grey": (0.5, 0.5, 0.5), "white": (1.0, 1.0, 1.0)}
FINENESS = {20: 0.05, 7: 0.15, 3: 0.3, 2: 0.45}  # cycles per pixel, by the size of detail in pixels
PLACES = {
    "rim": "along the rim",
    "corners": "in the four corners",
    "centre": "in the middle",
}  # others: at the top left, and so on
FAMILIES = {
    "colours": "change of colour or contrast",
    "places": "field of brightness",
    "frequencies": "blur, sharpening or noise",
    "seams": "JPEG compression",
}
HALVES = "with an area under the ROC curve of {area:.2f} (standard error of chance {error:.2f}), where {least} and "
HALVES += "three such errors above 0.5 are needed"
FAILURES = {
    "too few images": "an artifact is what a cluster's images share and the others lack: at least {least} of both are "
    "needed, got {members} in the cluster and {others} beside it",
    "no positive relevance": "no positive relevance: the heatmaps of the cluster are zero or negative everywhere",
    "nothing at a fixed place": "no agreement at a fixed place: what the {members} images of the cluster share there "
    "separates no group with most of them from the others of their class (gap of {gap:.1f} standard deviations, "
    "expected at least {least:g}, {found} of {members} found again, p = {p_value:.2g})",
    "parts disagree": "no agreement at a fixed place: where the mean images differ there is no connected part in which "
    "the cluster's images agree more than the others",
    "irrelevant parts": "no agreement at a fixed place that matters: the images share {parts} part(s), but relevance "
    "there is at most {density:.2f} of the map's mean",
    "no common shape": "no object looks the same in most images of the cluster: templates of one half of them find the "
    f"other half {HALVES}",
    "shape too rare": "no object looks the same in most images of the cluster: templates are found in {share:.0%} of "
    "them, where {least:.0%} is needed",
    "no cutout": "no object could be cut out: windows of {images} images share edges, but not their pixels",
    "no own colours": "what relevance points at in the cluster has no colours of its own: those of one half of the "
    f"members separate the other half's images from the rest {HALVES}",
    "colours elsewhere": "what has the cluster's colours is not what relevance points at: they overlap in {agreed} of "
    "{members} images of the cluster, and {least:.0%} are needed",
    "colours everywhere": "the cluster's colours are not those of a part of the images: what has them covers "
    "{share:.0%} of an image, and at most {most:.0%} is a patch",
    "numbers alike": "no {family}: such numbers of whole images separate the cluster with a held-out AUC of {area:.2f} "
    "(p = {p_value:.2g}), expected at least {least} (p at most {most})",
    "one group": "no {family}: by such numbers the images do not fall into those with it and those without it (means "
    "{apart:.1f} standard deviations apart, expected at least {least:g}, one group split in two has 2.6)",
    "no transform": "no {family}: none makes the rest of the class more like the cluster",
    "more than a transform": "no {family} alone: with it, {left:.0%} of what tells the images from the others stays",
}


def artifact_said(case: Case) -> str:
    """Say what the artifact of a case is; "" where there is none."""
    if case.given is not None:
        return given_sentence(case.given)
    return "" if case.isolated is None else isolated_sentence(case.isolated)


def given_sentence(given: GivenPicture) -> str:
    """Say what picture was given."""
    size = "in its own pixels" if given.size is None else f"at size {given.size:g}"
    if given.places:
        return (
            f"The picture {given.file} {size}, at a place chosen by hand on each of {given.places} "
            f"image{'s' * (given.places != 1)}; its effect is known on these images and places alone."
        )
    return f"The picture {given.file} {size}, {given.placement.replace('_', ' ')}."


def isolated_sentence(isolated: Isolated) -> str:
    """Say what was isolated: its kind, where it lies, how many carry it, how well these are told from the rest."""
    evidence = isolated.evidence
    if isinstance(evidence, FixedEvidence):
        return _fixed(isolated, evidence)
    if isinstance(evidence, FreeEvidence):
        return _free(isolated, evidence)
    if isinstance(evidence, GlobalEvidence) and isolated.transform is not None:
        return _global(isolated, isolated.transform, evidence)
    return f"A {isolated.kind} artifact."


def transform_said(transform: Transform) -> str:
    """Say what a transform does to images, with numbers: a clause without a subject, such as "multiplies …"."""
    if isinstance(transform, ChannelMap):
        grey = torch.tensor([0.25, 0.5, 0.75]).expand(1, 3, 1, 3)
        after = zip(CHANNELS, transform.apply(grey)[0, :, 0].tolist(), strict=True)
        told = (f"{name} {', '.join(f'{value:.2f}' for value in values)}" for name, values in after)
        return f"maps the values 0.25, 0.50 and 0.75 to {'; '.join(told)}"
    if isinstance(transform, ColourMatrix):
        colours = torch.tensor(list(MAPPED.values()))[..., None, None]
        after = zip(MAPPED, transform.apply(colours)[..., 0, 0].tolist(), strict=True)
        told = (f"{name} to {', '.join(f'{value:.2f}' for value in values)}" for name, values in after)
        return f"maps {'; '.join(told)} (red, green, blue)"
    if isinstance(transform, Field):
        gain, offset = ((float(part.min()), float(part.max())) for part in (transform.gain, transform.offset))
        added = f", and adds {offset[0]:+.2f} to {offset[1]:+.2f}" if any(offset) else ""
        return f"multiplies pixels by {gain[0]:.2f} to {gain[1]:.2f}, depending on where they lie{added}"
    if isinstance(transform, Spectrum):
        gains = ", ".join(f"{gain:.2f}" for gain in transform.gains_at(list(FINENESS.values())))
        noise = f", and adds noise of {transform.level:.3f}" if transform.level else ""
        return f"multiplies detail of {', '.join(map(str, list(FINENESS)[:-1]))} and 2 pixels by {gains}{noise}"
    return f"encodes images as JPEG at quality {transform.quality}" if isinstance(transform, Jpeg) else transform.name


def failure_said(failure: Failure) -> str:
    """Say why nothing was isolated: a clause without a capital and a full stop."""
    family = FAMILIES.get(str(failure.values.get("family")), "")
    return FAILURES[failure.reason].format(**{**failure.values, "family": family})


def failures_sentence(failures: Sequence[Failure]) -> str:
    """Say every reason why nothing was isolated, in one sentence; "" where there is none."""
    return _sentence(map(failure_said, failures))


def untested_sentence(untested: Untested) -> str:
    """Say what else of a class no effect was measured of; "" where there is nothing."""
    silent, more = untested.silent, untested.artifacts
    parts = [f"nothing was isolated from {silent} of its {untested.groups} groups"] if silent else []
    verb = "was" if more == 1 else "were"
    parts += [f"{more} more that {verb} isolated did less and {verb} not tested"] if more else []
    return _sentence(parts)


def _sentence(clauses: Iterable[str]) -> str:
    text = "; ".join(clauses)
    return text and f"{text[0].upper()}{text[1:]}."


def _fixed(isolated: Isolated, evidence: FixedEvidence) -> str:
    opacity = "opaque" if evidence.opacity > OPAQUE else f"{100 * evidence.opacity:.0f} % opaque"
    said = (
        f"A fixed artifact {place_said(evidence.position)}, on {100 * evidence.share:.1f} % of the image"
        f"{_box(isolated)}, {opacity}; {_carried(isolated)} (cross-fitted AUC of the cluster {isolated.separation:.2f})"
    )
    if evidence.faint is not None:
        said += f"; relevance there is only {evidence.faint:.2f} of the map's mean"
    if evidence.left:
        left = " and ".join(map(_left, evidence.left))
        said += f"; not kept: {left}, shared as well but hardly relevant"
    if not evidence.settled:
        said += "; which images show it did not settle from round to round, so a few may be missed or wrong"
    return f"{said}."


def _free(isolated: Isolated, evidence: FreeEvidence) -> str:
    number = len(isolated.layers)
    if evidence.by == "colour":
        colours = "one colour" if number == 1 else f"{number} colours"
        looks = f"Things of {colours} and of changing shape at changing places: found by colour"
    else:
        (height, width), alpha = isolated.layers[0].shape[1:], isolated.layers[0][3]
        objects = "An object that looks the same" if number == 1 else f"{number} objects that look the same each"
        looks = (
            f"{objects} at changing places, {width} × {height} pixels, {float(alpha[alpha > 0].median()):.0%} opaque: "
            "found"
        )
    (found, cluster), (elsewhere, others) = evidence.inside, evidence.outside
    said = (
        f"{looks} in {found} of {cluster} images of the cluster and {elsewhere} of {others} others; held-out area "
        f"under the ROC curve {isolated.separation:.2f}."
    )
    return f"{said} Of these others {evidence.lent} are of other classes." if evidence.lent else said


def _global(isolated: Isolated, transform: Transform, evidence: GlobalEvidence) -> str:
    return (
        f"An artifact of whole images ({transform.name}): it {transform_said(transform)}; {_carried(isolated)} "
        f"(held-out AUC of the cluster {isolated.separation:.2f}, p = {evidence.p_value:.2g}); with it, the others are "
        f"told from them by an AUC of {evidence.after:.2f} instead of {evidence.before:.2f}."
    )


def place_said(position: str) -> str:
    """Say where in an image something lies."""
    return PLACES.get(position, f"at the {position}")


def _carried(isolated: Isolated) -> str:
    return f"{isolated.members.sum()} of {len(isolated.members)} images carry it"


def _box(isolated: Isolated) -> str:
    top, left, bottom, right = isolated.places[isolated.members][0]
    if (bottom - top, right - left) == tuple(isolated.layers[0].shape[1:]):
        return ""
    return f" ({right - left} × {bottom - top} pixels at x {left}, y {top})"


def _left(part: LeftPart) -> str:
    return f"{part.pixels} pixels {place_said(part.position)} (relevance {part.density:.1f} of the map's mean)"
