"""Cases in checkpoints."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from proven_cases import CASES
from unhans.callbacks import SpRAyAudit

from unhans.effects import reason_of, state_of
from unhans.harness import case_from_state, case_state


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    size = file.tell()
    file.seek(0)
    return torch.load(file, weights_only=True), size


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case is not None])
def test_a_case_says_the_same_after_a_checkpoint(name):
    state, size = through_a_file(case_state(CASES[name]))
    found = case_from_state(state)
    assert (state_of(found), reason_of(found)) == (state_of(CASES[name]), reason_of(CASES[name]))
    assert found.proven == CASES[name].proven
    if found.proof is not None:
        for one, other in zip(found.proof.added, CASES[name].proof.added, strict=True):
            assert one.effect == other.effect
            assert np.array_equal(one.differences, other.differences)
    assert size < 100_000


def test_of_a_proven_case_the_artifact_is_kept_with_its_masks():
    masks = np.random.default_rng(0).random((5, 9, 7)) < 0.5
    case = CASES["proven"]
    case = replace(case, isolated=replace(case.isolated, masks=masks))
    found = case_from_state(through_a_file(case_state(case))[0]).isolated
    assert np.array_equal(found.masks, masks)
    assert np.array_equal(found.members, case.isolated.members)
    assert all(map(torch.equal, found.layers, case.isolated.layers))
    assert case_from_state(case_state(CASES["not used"])).isolated is None


def test_a_resumed_audit_knows_its_cases_without_a_new_audit():
    first = SpRAyAudit(verify=True)
    first.cases = {1: CASES["proven"], 0: CASES["not isolated"]}
    second = SpRAyAudit(verify=True)
    second.load_state_dict(through_a_file(first.state_dict())[0])
    assert {label: state_of(case) for label, case in second.cases.items()} == {1: "proven", 0: "open"}
    assert second.tested == list(second.cases.values())
    second.forget()
    assert second.cases == {}
