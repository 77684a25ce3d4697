"""What the report shows of one artifact of a class: suspicion, layer, effect, verdict, and what followed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from unhans.attribution import colorize, picture, scale
from unhans.effects import Case, Known, state_of
from unhans.effects.interventions import Example
from unhans.repair import Act, Assessment, Decision, ProvenArtifact
from unhans.report import figures, text
from unhans.report.html.class_gallery import colour_stops
from unhans.report.html.page import Axis
from unhans.report.pictures import Picture, page_picture
from unhans.report.tables import CONTROLS, EFFECT_READING, EffectGroup, axis_of, decision_cells, effect_groups
from unhans.stats import wilson
from unhans.store import replacing

CMAP = "hot-cold"
MOST_CARRIERS = 10  # other classes in a table
LAYER = 360  # pixels of a picture of the layer


@dataclass(frozen=True)
class ExamplePictures:
    """One sample before and after an artifact was added or removed.

    Attributes:
        name: its own class.
        before, after: the probability of the artifact's class.
        choice: "largest" or "typical", the change for which it was chosen.
        pictures: image and heatmap before, image and heatmap after; the two heatmaps share one scale.
    """

    name: str
    before: float
    after: float
    choice: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class CasePictures:
    """The pictures of a case, ready for a page.

    Attributes:
        layers: what was isolated, each under a caption.
        samples: of the cluster, each an image with the artifact and, where it is known, its heatmap.
        added, removed: samples before and after.
    """

    layers: tuple[tuple[str, Picture], ...] = ()
    samples: tuple[tuple[Picture, ...], ...] = ()
    added: tuple[ExamplePictures, ...] = ()
    removed: tuple[ExamplePictures, ...] = ()


_CODEC = TypeAdapter(CasePictures)


@dataclass(frozen=True)
class Correction:
    """The network corrected after a run, beside the trained one.

    Attributes:
        before, after: assessments of both, None where it failed.
        page: address of their comparison, from the report.
        error: why it failed, in one sentence.
    """

    before: Assessment | None = None
    after: Assessment | None = None
    page: str = ""
    error: str = ""

    @property
    def said(self) -> str:
        """What changed, in a sentence."""
        return "" if self.before is None or self.after is None else text.correction_sentence(self.before, self.after)


@dataclass(frozen=True)
class ClassDecisions:
    """What a training run did about a class.

    Attributes:
        decisions: about the class, in order.
        followed: its artifacts that were acted on.
        act: what the run does about proven artifacts.
    """

    decisions: Sequence[Decision]
    followed: Sequence[ProvenArtifact]
    act: Act


@dataclass(frozen=True)
class CaseSection:
    """All that the report tells of an artifact.

    Attributes:
        case: None of a class that is acted on and has no case of its own any more.
        pictures: of the case.
        truth: how it compares with the planted artifact, None where that is not known.
        correction: what a correction after the run changed.
        decided: what the run did about the class.
    """

    case: Case | None
    pictures: CasePictures = CasePictures()
    truth: Known | None = None
    correction: Correction | None = None
    decided: ClassDecisions | None = None


def case_pictures(
    case: Case, classes: Sequence[str], images: Any = None, heatmaps: NDArray[np.floating] | None = None
) -> CasePictures:
    """Draw what a page shows of a case.

    Args:
        classes: the name of every class, by label.
        images: (n, 3, H, W) in [0, 1], those that the artifact was isolated from; None shows no sample.
        heatmaps: (n, H, W) of these images.
    """
    found, proof = case.isolated, case.proof
    layers = [] if found is None else figures.layer_pictures(found, images)
    look = figures.Look(cmap=CMAP)
    pairs = [] if images is None or not layers else figures.sample_pictures(found, images, heatmaps, look)
    added, removed = ((), ()) if proof is None else (proof.examples, proof.removal_examples)
    return CasePictures(
        tuple((caption, page_picture(pixels, LAYER)) for caption, pixels in layers),
        tuple(tuple(page_picture(pixels) for pixels in pair if pixels is not None) for pair in pairs),
        tuple(_example(one, classes) for one in added),
        tuple(_example(one, classes) for one in removed),
    )


def write_pictures(path: Path, pictures: CasePictures) -> None:
    """Write the pictures of a case, whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(zlib.compress(_CODEC.dump_json(pictures)))


def read_pictures(path: Path) -> CasePictures:
    """Read what `write_pictures` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        return _CODEC.validate_json(zlib.decompress(path.read_bytes()))
    except (zlib.error, ValueError) as error:
        raise ValueError(f"{path} does not hold the pictures of a case; remove it and test the class again.") from error


def _example(example: Example, classes: Sequence[str]) -> ExamplePictures:
    before, after = map(float, example.probabilities)
    maps = colorize(scale(figures.legible(np.asarray(example.heatmaps)), joint=True), CMAP)
    states = zip(map(picture, example.images), maps, strict=True)
    pictures = tuple(page_picture(pixels) for state in states for pixels in state)
    return ExamplePictures(classes[example.label], before, after, example.choice, pictures)


def case_view(section: CaseSection) -> dict[str, Any]:
    """Return what `case.html` shows of an artifact."""
    case, decided = section.case, section.decided
    told = "" if decided is None else " ".join(text.artifact_sentence(each, decided.act) for each in decided.followed)
    view = {
        "measured": None if case is None else _measured(section, case),
        "decisions": [] if decided is None else list(map(_decision, decided.decisions)),
        "story": told,
    }
    if case is not None:
        return view | {"verdict": state_of(case), "badge": state_of(case), "headline": text.headline(case)}
    verdict = decided.followed[-1].verdicts[-1]
    return view | {"verdict": verdict, "badge": text.STANDINGS[verdict].partition(",")[0], "headline": told}


def effects_view(groups: Sequence[EffectGroup]) -> dict[str, Any]:
    """Return what `effects.html` shows of all groups, on one axis; dashed is the least that intervals must reach."""
    low, high, ticks = axis_of(groups)
    measures = {"drawn": text.PROBABILITY, "measures": (text.RANK, text.LOGIT, text.SHARE)}
    return {
        "axis": Axis(low, high),
        "ticks": ticks,
        "groups": groups,
        "reading": EFFECT_READING,
        "controls": CONTROLS,
    } | measures


def _measured(section: CaseSection, case: Case) -> dict[str, Any]:
    grounds = {label: said for label, said in text.case_grounds(case).items() if label != "Spread" and said}
    _, artifact, effect, _ = text.case_sentences(case)
    found, pictures, correction = case.isolated, section.pictures, section.correction
    outline = "" if found is None or found.transform is not None else " outlined"
    return {
        "name": case.name,
        "steps": text.case_steps(case),
        "said": grounds.pop("Verdict"),
        "grounds": list(grounds.items()),
        "artifact": artifact,
        "layers": pictures.layers,
        "samples": pictures.samples,
        "samples_said": "" if found is None else figures.samples_said(found),
        "sample_words": f"sample with the artifact{outline}",
        "effects": None if case.proof is None else effects_view(effect_groups(case.proof)),
        "effect": "" if found is None and case.features is None else effect,
        "colours": colour_stops(CMAP),
        "added": pictures.added,
        "removed": pictures.removed,
        "choices": figures.CHOICES,
        "spread": text.spread_sentences(case),
        "carriers": _carriers(case),
        "truth": "" if section.truth is None else text.truth_sentence(section.truth),
        "correction": correction,
    }


def _carriers(case: Case) -> list[tuple[Any, ...]]:
    """The other classes in which the artifact was found, most first: name, n, found, share, predicted as its class."""
    found = [each for each in text.most_affected(case) if each.found][:MOST_CARRIERS]
    return [
        (each.name, each.n, each.found, f"{text.percent(each.found / each.n)} {interval}", each.predicted)
        for each in found
        for interval in [text.range_written(wilson(each.found, each.n))]
    ]


def _decision(one: Decision) -> dict[str, Any]:
    *cells, because = decision_cells(one)
    return {"epoch": one.epoch, "marked": one.done in ("acted", "would act"), "cells": cells, "because": because}
