"""Artifacts whose effect is measured in every model: planted, isolated before, or isolated from difference maps."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Layered, can_be_put_on, covered
from unhans.comparison import ModelComparison
from unhans.effects import Candidate, Plan, Sample, examine_class
from unhans.experiment.cases import TestedCase, case_files, isolated_cases, load_cases, save_case
from unhans.experiment.compare.compared_model import Asked, SampleSet, interpolated
from unhans.experiment.compare.difference_groups import (
    DifferenceGroup,
    difference_groups,
    furthest_groups,
    scaled_maps,
)
from unhans.isolation import Failure, Isolated, distinct
from unhans.spray import SpRAy
from unhans.spray.groups import jaccard
from unhans.store import digest, file_stem
from unhans.terminal import ConfigurationError

VIEW = "difference of relevance"
SAME = 0.5  # overlap from which two isolated artifacts are one


class ComparedArtifact(NamedTuple):
    """An artifact and the name of its class.

    Attributes:
        layers: what is put on images.
        class_name: of its class.
        images: indices of the images of other classes that it may be measured on; None: all of them.
    """

    layers: Layered
    class_name: str
    images: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class AnySize:
    """A fixed artifact on images of any size: its layer (4, h, w) is scaled to them."""

    rgba: Tensor

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the layer (4, H, W) in [0, 1] of an image's size."""
        if tuple(self.rgba.shape[1:]) == tuple(size):
            return self.rgba
        color, alpha = self.rgba[:3], self.rgba[3:]
        weighted = torch.cat([color * alpha, alpha])[None]  # what is transparent has no colour that could shine through
        scaled = F.interpolate(weighted, tuple(size), mode="bilinear", antialias=True, align_corners=False)[0]
        return torch.cat([scaled[:3] / scaled[3:].clamp(min=1e-6), scaled[3:]]).clamp(0, 1)


def at_any_size(isolated: Isolated) -> Layered:
    """Return an isolated artifact; one that lies at a fixed place fits images of any size, others keep their pixels."""
    return AnySize(isolated.layers[0]) if isolated.kind == "fixed" else isolated


def isolated_before(paths: Sequence[str], samples: SampleSet) -> dict[str, ComparedArtifact]:
    """Return all artifacts that analysis=effect isolated in folders, or in JSON files of cases, by name.

    Args:
        paths: folders and files.
        samples: of the comparison.

    Raises:
        ConfigurationError: there are none, or one belongs to a class that is not compared.
        FileNotFoundError: there is no such folder.
    """
    names = [samples.names[label] for label in np.unique(samples.labels)]
    found: dict[str, ComparedArtifact] = {}
    for path in map(Path, paths):
        for one in isolated_cases(path):
            if one.case.name not in names:
                raise ConfigurationError(
                    f"analysis.artifacts expects artifacts of classes that are compared ({', '.join(names)}), but "
                    f"{one.files.mark} holds one of {one.case.name!r}."
                )
            name = "/".join(one.files.mark.with_suffix("").parts[-3:]).replace("/artifacts/", "/")
            found[_unused(name, found)] = ComparedArtifact(at_any_size(one.case.isolated), one.case.name)
    return found


def _unused(name: str, used: Mapping[str, Any]) -> str:
    names = [name, *(f"{name} ({number})" for number in range(2, len(used) + 2))]
    return next(each for each in names if each not in used)


@dataclass
class DifferenceArtifacts:
    """Isolates what the images of groups of difference maps share, in the way of analysis=effect.

    Args:
        spray: how difference maps are clustered.
        split: of the images: train, val or union.
        most: groups from which an artifact is isolated, the furthest first.
        samples: images of other classes that each artifact is measured on, at most.
        out: where the cases are kept, and found again.

    Attributes:
        pictures: of the artifacts that were isolated.
        silent: groups from which nothing was isolated, and why.
    """

    spray: SpRAy
    split: str
    most: int
    samples: int
    out: Path
    pictures: list[Path] = field(default_factory=list)
    silent: list[tuple[DifferenceGroup, tuple[Failure, ...]]] = field(default_factory=list)
    _groups: list[DifferenceGroup] | None = None

    def groups(self, found: ModelComparison) -> list[DifferenceGroup]:
        """Return all groups of a comparison's difference maps; they are clustered once."""
        if self._groups is None:
            self._groups = list(difference_groups(found, self.spray, self.split))
        return self._groups

    def furthest(self, found: ModelComparison, most: int) -> list[DifferenceGroup]:
        """Return the furthest groups of pairs that are no twins; see `furthest_groups`."""
        return furthest_groups(self.groups(found), found.twins, most)

    def artifacts(self, found: ModelComparison, asked: Sequence[Asked]) -> dict[str, ComparedArtifact]:
        """Return what was isolated, by name; each is measured on images on which it was not chosen."""
        artifacts: dict[str, ComparedArtifact] = {}
        for number, group in enumerate(self.furthest(found, self.most), 1):
            failures: list[Failure] = []
            silent = True
            for looks, other in (group.pair, group.pair[::-1]):
                one, against = (asked[found.models.index(name)] for name in (looks, other))
                out = self.out / f"{number}-{file_stem(one.number, looks)}"
                for tested in _tested(found, one, against, group, self.samples, out):
                    case = tested.case
                    failures += case.failures
                    if not can_be_put_on(case.isolated) or case.proof is None:
                        continue
                    new = ComparedArtifact(
                        at_any_size(case.isolated), group.class_name, np.asarray(case.proof.added[0].indices)
                    )
                    if not any(_is_same(new, other) for other in artifacts.values()):
                        artifacts[_unused(f"{looks} − {other}", artifacts)] = new
                        self.pictures += [path for key, path in tested.pictures.items() if key == "layer"]
                    silent = False
            if silent:
                self.silent.append((group, distinct(failures)))
        return artifacts


def _is_same(one: ComparedArtifact, other: ComparedArtifact) -> bool:
    """Tell whether two artifacts of a class lie at the same place: each model may look more at parts of one of them."""
    if one.class_name != other.class_name or not isinstance(one.layers, AnySize) or type(other.layers) is not AnySize:
        return False
    size = tuple(one.layers.rgba.shape[1:])
    return jaccard(*(covered(each.layers.layer(0, size)[3].numpy()) for each in (one, other))) >= SAME


def _tested(
    found: ModelComparison, one: Asked, against: Asked, group: DifferenceGroup, samples: int, out: Path
) -> list[TestedCase]:
    """What a group's images share at places where one model looks more than the other, tested in that one."""
    one.how.say(f"{one.model.name}: isolating what {len(group.rows)} images share", 0)
    label, key = one.output(group.label), _key(found, one, against, group, samples)
    stored = load_cases(out, label, group.class_name, key)
    if stored:
        return stored
    if out.exists():
        shutil.rmtree(out)
    sample = _sample(found, one, against, group)
    others = found.index[(found.labels != group.label) & found.clean]
    members = Candidate(VIEW, np.isin(sample.index, found.index[group.rows]))
    cases = examine_class(
        one.bench(), sample, [members], Plan(candidates=1, samples=samples, seed=one.how.seed), others
    )
    for rank in reversed(range(len(cases))):  # the first, whose mark says how many there are, is written last
        files = case_files(out, label, group.class_name, rank)
        save_case(files, cases[rank], None, one.model.classes, sample, key, len(cases))
    return load_cases(out, label, group.class_name, key)


def _key(found: ModelComparison, one: Asked, against: Asked, group: DifferenceGroup, samples: int) -> dict[str, Any]:
    """What is isolated from a group depends on."""
    keys = [each.key((1, 1)) for each in (one, against)]
    return {
        "model": keys[0]["model"],
        "against": keys[1]["model"],
        "images": keys[0]["images"],
        "attribution": keys[0]["attribution"],
        "group": digest(found.index[group.rows]),
        "compared": digest(found.index),
        "samples": samples,
        "seed": one.how.seed,
    }


def _sample(found: ModelComparison, one: Asked, against: Asked, group: DifferenceGroup) -> Sample:
    """The images of a class as one model sees them, with R_one − R_against in place of heatmaps."""
    index = found.index[found.rows_of(group.label)]
    (images, own), (_, other) = (_explained(each, index, group.label) for each in (one, against))
    difference = scaled_maps(own) - scaled_maps(interpolated(other, own.shape[1:]))
    return Sample(images, index, difference, one.output(group.label), group.class_name)


def _explained(asked: Asked, index: NDArray[np.int64], label: int) -> tuple[Tensor, NDArray[np.float32]]:
    """The images of one class, and a model's heatmaps of them."""
    bench = asked.bench()
    parts = [bench.read(index[start : start + bench.batch_size])[0] for start in range(0, len(index), bench.batch_size)]
    maps = [np.asarray(bench.explain(part, asked.output(label)), np.float32) for part in parts]
    return torch.cat(parts), np.concatenate(maps)
