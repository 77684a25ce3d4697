"""A case as plain values, as its file holds it, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from unhans.artifacts.case import Case, FeatureEffect, Share
from unhans.artifacts.effect import Effect
from unhans.artifacts.isolated import Detector, Isolated
from unhans.artifacts.proof import Proof
from unhans.artifacts.quality import Portion, Quality
from unhans.artifacts.transform import Transform
from unhans.artifacts.trial import Trial
from unhans.artifacts.verdict import Verdict
from unhans.experiment.known import Known
from unhans.spray import Suspicion


def plain_case(case: Case) -> dict[str, Any]:
    """Return a case as JSON takes it, without what lies in other files: pictures, masks, detector, transform."""
    proof = case.proof and replace(case.proof, examples=(), removal_examples=())
    none = {"layers": (), "masks": np.zeros((0, 0, 0), dtype=bool), "detector": None, "transform": None}
    return _plain(replace(case, proof=proof, isolated=case.isolated and replace(case.isolated, **none)))


def plain_known(truth: Known | None) -> dict[str, Any] | None:
    """Return what is known of a planted artifact as JSON takes it."""
    return _plain(truth)


def case_from(
    plain: Mapping[str, Any],
    layers: tuple[Tensor, ...],
    detector: Detector | None = None,
    transform: Transform | None = None,
) -> Case:
    """Return the case that `plain_case` wrote; layers: its artifact's, (4, h, w) RGBA in [0, 1]."""
    made = {
        "suspicion": Suspicion,
        "isolated": partial(_isolated, layers, detector, transform),
        "quality": _quality,
        "proof": _proof,
        "features": _features,
    }
    parts = {name: None if plain[name] is None else make(**plain[name]) for name, make in made.items()}
    return Case(**{**plain, **parts, "spread": tuple(Share(**share) for share in plain["spread"])})


def known_from(plain: Mapping[str, Any] | None) -> Known | None:
    """Return what `plain_known` wrote."""
    if plain is None:
        return None
    return Known(**{**plain, "effect": None if plain["effect"] is None else _effect(plain["effect"])})


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def _isolated(pictures: tuple[Tensor, ...], finds: Detector | None, does: Transform | None, **plain: Any) -> Isolated:
    arrays = {"members": (bool, (-1,)), "masks": (bool, (0, 0, 0)), "places": (np.int64, (-1, 4))}
    found = {name: np.array(plain[name], dtype=kind).reshape(shape) for name, (kind, shape) in arrays.items()}
    return Isolated(**plain | found | {"layers": pictures, "detector": finds, "transform": does})


def _quality(correlation: float | None, **portions: Any) -> Quality:
    found = {name: None if one is None else _portion(**one) for name, one in portions.items()}
    return Quality(correlation=correlation, **found)


def _portion(n: int, mean: float, interval: Sequence[float]) -> Portion:
    return Portion(n, mean, tuple(interval))


def _proof(**plain: Any) -> Proof:
    verdict = Verdict(**{**plain["verdict"], "decided_by": tuple(plain["verdict"]["decided_by"])})
    return Proof(**plain | _trials(plain) | {"verdict": verdict, "examples": (), "removal_examples": ()})


def _features(**plain: Any) -> FeatureEffect:
    return FeatureEffect(**plain | _trials(plain))


def _effect(plain: Mapping[str, Any]) -> Effect:
    return Effect(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()})


def _trials(plain: Mapping[str, Any]) -> dict[str, tuple[Trial, ...]]:
    return {name: tuple(_trial(**trial) for trial in plain[name]) for name in ("added", "removed")}


def _trial(**plain: Any) -> Trial:
    arrays = {"differences": np.array(plain["differences"], float), "indices": np.array(plain["indices"], np.int64)}
    donors = None if plain["donors"] is None else np.array(plain["donors"], np.int64)
    return Trial(**plain | arrays | {"effect": _effect(plain["effect"]), "donors": donors})
