"""What is needed, besides the state dict, to build a corrected network again."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from unhans.clarc.corrected import ForClass, corrected, corrections_of
from unhans.clarc.correction import Correction

PARTS = {"shape", "strength", "reactive"}


def specification(model: nn.Module) -> dict[str, Any]:
    """Return the places and kinds of a network's corrections as plain values, which `torch.load` reads `weights_only`.

    `{"corrections": {layer: {"shape", "strength", "reactive"}}, "only": label or None}`; the numbers are in the state
    dict of the model.
    """
    described = {
        name: {
            "shape": list(correction.directions.shape),
            "strength": correction.strength,
            "reactive": correction.reactive,
        }
        for name, correction in corrections_of(model).items()
    }
    return {"corrections": described, "only": model.label if isinstance(model, ForClass) else None}


def prepared(network: nn.Module, specification: Mapping[str, Any]) -> nn.Module:
    """Return a copy of the uncorrected network into which the corrected one's state dict loads.

    Until it is loaded the corrections change nothing; without any, the copy is the network's.

    Raises ValueError for a specification of another form, and as `corrected` does.
    """
    found = specification.get("corrections")
    if not isinstance(found, Mapping) or not all(isinstance(v, Mapping) and set(v) == PARTS for v in found.values()):
        raise ValueError(
            f"A specification of corrections has {', '.join(sorted(PARTS))} for each layer, "
            f"got {dict(specification)!r}."
        )
    if not found:
        return copy.deepcopy(network)
    return corrected(
        network, {name: _empty(**values) for name, values in found.items()}, only=specification.get("only")
    )


def _empty(shape: list[int], strength: float, reactive: bool) -> Correction:
    """A correction along directions of length 0."""
    targets = torch.zeros(shape[0])
    return Correction(torch.zeros(shape), targets, strength, targets if reactive else None)
