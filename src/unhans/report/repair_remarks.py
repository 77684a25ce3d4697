"""What could not be measured as it should, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unhans.artifacts.numerals import samples_said

if TYPE_CHECKING:
    from unhans.artifacts.assessment import Assessment

ORIGINS = {
    "train": "training samples, as no validation sample carries the artifact",
    "pasted": "validation images with the artifact pasted, as none is known to carry it",
}


def remarks_of(found: Assessment) -> tuple[str, ...]:
    """Say where a network was measured on other samples than validation images that carry the artifact."""
    remarks = []
    removed = "train" if found.removed is not None and found.removed_from == "train" else None
    relevance = found.relevance_on if found.relevance is not None and found.relevance_on in ORIGINS else None
    if removed and removed == relevance:
        remarks.append(f"Removal and relevance in the mask are measured on {ORIGINS[removed]}.")
    elif removed:
        remarks.append(f"Removal is measured on {ORIGINS[removed]}.")
    if relevance and relevance != removed:
        remarks.append(f"Relevance in the mask is measured on {ORIGINS[relevance]}.")
    if found.left_out:
        samples = samples_said(found.left_out)
        remarks.append(f"Left out of the validation images: {samples} with the artifact and no image without it.")
    return tuple(remarks)
