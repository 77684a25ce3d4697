"""Every class clustered with every setting, from heatmaps that were made once; what is done is kept class by class."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from unhans.experiment.survey import Parallel, Pool, Survey, explain_missing, heatmaps_stored, maps_key, weights_of
from unhans.report import Say
from unhans.spray import ClassFit, SpRAy, fit_class
from unhans.store import digest, file_stem, jsonable, replacing
from unhans.store.virelay import ClassFiles, open_maps

LOG = logging.getLogger("unhans")
FOLDER = "stability"
ARRAYS = ("group", "labels")
NUMBERS = ("lambda_2", "tau", "eigengap", "tau_clusters", "cut")

Found = dict[str, ClassFit | str]  # by setting: what was found in a class, or the sentence for which it was refused


@dataclass(frozen=True)
class FitJob:
    """One class to cluster with one setting."""

    files: ClassFiles
    label: int
    setting: str
    spray: SpRAy


def fit_stored(job: FitJob) -> ClassFit | str:
    """Cluster the stored heatmaps of a class; return why not where they cannot be clustered so."""
    try:
        return fit_class(job.spray, open_maps(job.files).maps)
    except ValueError as error:
        return str(error)


@dataclass
class StabilityRun:
    """Computes what is not in the folder yet.

    Attributes:
        survey: of the classes; its folder holds the heatmaps, those of analysis=spray too.
        settings: by name.
        found: by label, what is known.
        failed: how many fits have no result because of an error that nobody foresaw, by its sentence.
    """

    survey: Survey
    settings: Mapping[str, SpRAy]
    found: dict[int, Found] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)

    @cached_property
    def keys(self) -> dict[int, dict[str, Any]]:
        """By label what its heatmaps depend on."""
        weights = weights_of(self.survey.network)
        return {label: maps_key(self.survey, label, weights) for label in self.survey.subsets}

    @cached_property
    def digests(self) -> dict[str, str]:
        """By name what a setting is known by again."""
        return {
            name: digest(json.dumps(jsonable(one.settings()), sort_keys=True)) for name, one in self.settings.items()
        }

    @property
    def unexplained(self) -> dict[int, dict[str, Any]]:
        """The keys of those classes whose heatmaps are not there."""
        return {label: key for label, key in self.keys.items() if not heatmaps_stored(self.survey.files(label), key)}

    def load(self) -> None:
        """Read what earlier runs found in the same heatmaps with the same settings."""
        self.found = {label: self._stored(label) for label in self.keys}

    @property
    def missing(self) -> list[tuple[int, str]]:
        """Labels and settings that are left to do."""
        return [(label, name) for label, found in self.found.items() for name in self.settings if name not in found]

    def explain(self, say: Say) -> None:
        """Make the heatmaps that are not there; a class without them is refused with every setting."""
        for label, reason in explain_missing(self.survey, self.unexplained, say).items():
            self.found[label] = dict.fromkeys(self.settings, reason)

    def compute(self, parallel: Parallel, say: Say) -> None:
        """Cluster what is missing; each fit is kept as soon as it is done."""
        missing = self.missing

        def done(job: FitJob, result: ClassFit | str) -> None:
            self.found[job.label][job.setting] = result
            self._save(job.label)
            say(f"clustered class {self.survey.classes[job.label]}, {job.setting}", 1)

        def given_up(job: FitJob, error: BaseException) -> None:
            died = isinstance(error, BrokenExecutor)
            reason = "its worker died twice" if died else f"it failed ({type(error).__name__}: {error})"
            LOG.error("class %r, %s: %s", self.survey.classes[job.label], job.setting, reason)
            self.failed[reason] = self.failed.get(reason, 0) + 1
            say(f"class {self.survey.classes[job.label]} failed, {job.setting}", 1)

        with Pool(parallel.at_most(max(1, len(missing))), fit_stored, done, given_up) as pool:
            for label, name in missing:
                pool.submit(FitJob(self.survey.files(label), label, name, self.settings[name]))

    def fits(self) -> dict[str, dict[int, ClassFit]]:
        """Return what was found, by setting and label."""
        return {
            name: {label: one[name] for label, one in self.found.items() if isinstance(one.get(name), ClassFit)}
            for name in self.settings
        }

    def refused(self) -> dict[tuple[int, str], str]:
        """Return by label and setting the sentence for which a class was not clustered."""
        return {
            (label, name): one.get(name, "it failed")
            for label, one in self.found.items()
            for name in self.settings
            if not isinstance(one.get(name), ClassFit)
        }

    def _file(self, label: int) -> Path:
        return self.survey.out / FOLDER / f"{file_stem(label, self.survey.classes[label])}.npz"

    def _stored(self, label: int) -> Found:
        """What an earlier run found in a class; nothing where the heatmaps were others."""
        try:
            with np.load(self._file(label)) as file:
                told = json.loads(str(file["told"]))
                if told["maps"] != digest(self.keys[label]):
                    return {}
                known = {name: told["found"].get(mark) for name, mark in self.digests.items()}
                return {
                    name: one if isinstance(one, str) else ClassFit(**one, **_arrays(file, self.digests[name]))
                    for name, one in known.items()
                    if one is not None
                }
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return {}

    def _save(self, label: int) -> None:
        """Write all that is known of a class."""
        arrays, told = {}, {}
        for name, one in self.found[label].items():
            mark = self.digests[name]
            told[mark] = one if isinstance(one, str) else {each: getattr(one, each) for each in NUMBERS}
            if isinstance(one, ClassFit):
                arrays |= {f"{mark}-{each}": getattr(one, each) for each in ARRAYS}
        content = json.dumps({"maps": digest(self.keys[label]), "found": told})
        path = self._file(label)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, told=content, **arrays)


def _arrays(file: Mapping[str, Any], mark: str) -> dict[str, Any]:
    return {each: file[f"{mark}-{each}"] for each in ARRAYS}
