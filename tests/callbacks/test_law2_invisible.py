"""Law 2: final weights are bit-identical with and without the audits, whatever these find and test.

The same of two processes is in test_two_processes.py.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from callbacks_training import TheirModule, isolate_corners, small_audits, small_monitor, train, without_pictures
from pytorch_lightning.callbacks import EMAWeightAveraging
from torch import nn
from unhans.callbacks import HeatmapQuality, MaskRelevance, RegionRelevance

from unhans.attribution import invisible
from unhans.attribution.side_effects import devices_of
from unhans.effects import class_examination as examine_class

CASES = {
    "plain": ({}, {}, list),
    "accumulation": ({}, {"accumulate_grad_batches": 3}, list),
    "bf16-mixed": ({}, {"precision": "bf16-mixed"}, list),
    "compiled": ({"compiled": True}, {}, list),
    "frozen batch norm": ({"frozen": True}, {}, list),
    "EMA": ({}, {}, lambda: [EMAWeightAveraging(decay=0.9)]),
}


@pytest.mark.parametrize("case", CASES)
def test_weights_are_bit_identical(case, tmp_path, monkeypatch):
    monkeypatch.setattr(examine_class, "isolate", isolate_corners)
    without_pictures(monkeypatch)
    module_options, trainer_options, more = CASES[case]
    torch.manual_seed(1)
    plain = TheirModule(**module_options)
    torch.manual_seed(1)
    audited = TheirModule(**module_options)
    train(plain, more(), tmp_path / "plain", **trainer_options)
    options = {"verify": True, "verify_samples": 6, "most": 1} | ({} if case == "plain" else {"pages": 0})
    callbacks = [*small_audits(tmp_path / "audits", **options), small_monitor(tmp_path)]
    watched = {"network": "net", "dataset": "train", "folder": tmp_path / "relevance", "on_error": "raise"}
    callbacks.append(MaskRelevance(1, masks=everywhere, indices=[1, 5], **watched))
    few = {"samples": 4, "steps": 2, "repeats": 1, "accuracy_samples": 8, "folder": tmp_path / "quality"}
    callbacks.append(HeatmapQuality(regions=["border"], **(watched | few)))
    callbacks.append(RegionRelevance(["border"], target="predicted", **(watched | {"folder": tmp_path / "regions"})))
    train(audited, [*more(), *callbacks], tmp_path / "audited", **trainer_options)
    cases = list(callbacks[1].cases.values())
    assert len(cases) == 2  # the last epoch tests all
    assert all(case.quality is not None and case.proof.added[0].effect.n == 6 for case in cases)
    assert len(callbacks[0].epochs) == len(callbacks[2].epochs) == 2
    assert [len(each.points) for each in callbacks[3:]] == [3, 3, 3]
    assert_identical(plain.state_dict(), audited.state_dict())


def everywhere(indices):
    return np.ones((len(indices), 16, 16), dtype=bool)


def assert_identical(one, other):
    assert one.keys() == other.keys()
    different = [key for key in one if not torch.equal(one[key], other[key])]
    assert not different


def disturb(model):
    with invisible(model):
        model.eval().requires_grad_(True)
        random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        raise KeyError


def test_everything_is_put_back_after_an_exception():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2))
    model[2].eval()
    model[0].weight.requires_grad_(False)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    with pytest.raises(KeyError):
        disturb(model)
    assert [m.training for m in model.modules()] == [True, True, True, False]
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True]
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def test_gradients_can_be_taken_inside():
    model = nn.Linear(2, 1)
    with torch.inference_mode(), torch.autocast("cpu"), invisible(model):
        output = model(torch.ones(1, 2))
        assert output.dtype == torch.float32
        torch.autograd.grad(output.sum(), model.weight)


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_only_accelerators_in_use_are_asked_for_their_random_state(kind, monkeypatch):
    """Whatever they are; none has to be there."""
    asked, state = [], {}
    monkeypatch.setattr(f"torch.{kind}.get_rng_state", lambda device: asked.append(str(device)) or state[device])
    monkeypatch.setattr(f"torch.{kind}.set_rng_state", lambda value, device: state.update({device: value}))
    device, model = torch.device(kind, 1), nn.Linear(2, 1)
    state[device] = 3
    with invisible(model):
        assert asked == []
    monkeypatch.setattr("unhans.attribution.side_effects.devices_of", lambda module: {kind: [device]})
    with torch.autocast(kind), invisible(model):
        assert not torch.is_autocast_enabled(kind)
        state[device] = 4
    assert asked == [f"{kind}:1"]
    assert state == {device: 3}


def test_accelerators_in_use_are_those_of_parameters_and_buffers():
    assert devices_of(nn.BatchNorm1d(2)) == devices_of(nn.Linear(2, 2, device="meta")) == {}
    parts = [SimpleNamespace(device=torch.device(name)) for name in ("cuda:1", "cpu", "cuda:0", "mps:0")]
    model = SimpleNamespace(parameters=lambda: parts[:2], buffers=lambda: parts[2:])
    assert devices_of(model) == {
        "cuda": [torch.device("cuda:0"), torch.device("cuda:1")],
        "mps": [torch.device("mps:0")],
    }
