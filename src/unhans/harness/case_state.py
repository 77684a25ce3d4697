"""Cases as checkpoints hold them: what was measured as JSON, what was isolated as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from unhans.effects import Case
from unhans.isolation import from_record, record_of
from unhans.store import json_text, record_from_text

RECORDS = "detector", "transform"
NOWHERE = {"layers": (), "masks": np.zeros((0, 0, 0), dtype=bool), "detector": None, "transform": None}


def case_state(case: Case) -> dict[str, Any]:
    """Return a case without its examples; what was isolated is in it for a proven case alone.

    That takes 16 bytes a pixel for a layer and a bit a pixel for each sample of the class.
    """
    proof = case.proof and replace(case.proof, examples=(), removal_examples=())
    found = case.isolated if case.proven else None
    bare = replace(case, proof=proof, isolated=found and replace(found, **NOWHERE))
    state: dict[str, Any] = {"case": json_text(bare), "isolated": None}
    if found is not None:
        state["isolated"] = {
            "layers": [layer.clone() for layer in found.layers],
            "masks": torch.from_numpy(np.packbits(found.masks)),
            "shape": list(found.masks.shape),
        } | {name: None if (part := getattr(found, name)) is None else record_of(part) for name in RECORDS}
    return state


def case_from_state(state: Mapping[str, Any]) -> Case:
    """Return what `case_state` made plain; ValueError for a state of an earlier version."""
    case, stored = record_from_text(Case, state["case"]), state["isolated"]
    if stored is None:
        return case
    shape = tuple(stored["shape"])
    masks = np.unpackbits(stored["masks"].numpy(), count=int(np.prod(shape))).astype(bool).reshape(shape)
    records = {name: from_record(stored[name]) for name in RECORDS}
    return replace(case, isolated=replace(case.isolated, layers=tuple(stored["layers"]), masks=masks, **records))
