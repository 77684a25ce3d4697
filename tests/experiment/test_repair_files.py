"""The files of a repair: whole or absent, and known again by what they depend on."""

from __future__ import annotations

import json
import math

import pytest
import torch

from unhans.effects import Portion, flip_effect
from unhans.experiment.repair.fine_tuning import HALFWAY
from unhans.experiment.repair.stored_networks import (
    begin_repair,
    load_outcome,
    new_networks,
    outcome_from,
    plain_outcome,
    save_outcome,
)
from unhans.models import SmallCNN
from unhans.repair import Assessment, FittedConcept, Outcome, Point
from unhans.stats import Rate, area_of

CLASSES = ["cat", "dog, or so"]
KEY = {"method": "a_clarc", "seed": 3, "weights": "0ab"}


def assessment(n=40):
    generator = torch.Generator().manual_seed(0)
    before, after = (torch.randn(n, 2, generator=generator).double().numpy() for _ in range(2))
    groups = {(name, added): Rate(7 + added, 20) for name in CLASSES for added in (False, True)}
    area = area_of(before[:20, 0], before[20:, 0]) if n > 20 else None
    return Assessment(
        clean=Rate(30, 40), added=Rate(20, 40), removed=None, groups=groups, effect=flip_effect(before, after, 1),
        relevance=Portion(3, 0.25, (0.1, 0.4)), relevance_on="val", area=area,
    )  # fmt: skip


def outcome(folder, n=40):
    curve = (Point(0, 0.4, 0.9, 0.5), Point(1, None, 1.0, None))
    concept = FittedConcept("features", "svm", "channels", 0.9, 20, 30, "found")
    return Outcome("a_clarc", 3, 1.5, assessment(n), curve, folder, concept)


def saved(tmp_path):
    folder = tmp_path / "seed_003"
    begin_repair(folder, KEY)
    (folder / HALFWAY).mkdir()
    return folder, save_outcome(outcome(folder), SmallCNN(2, width=2), CLASSES, KEY, tmp_path / "config.yaml")


def test_what_is_finished_comes_back(tmp_path):
    (tmp_path / "config.yaml").write_text("seed: 3\n")
    folder, found = saved(tmp_path)
    assert load_outcome(folder, KEY) == found
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "model.ckpt", "outcome.json"]
    assert (folder / "config.yaml").read_text() == "seed: 3\n"


def test_intervals_without_ends_come_back(tmp_path):
    one = outcome(tmp_path, n=1)
    assert math.isinf(one.assessment.effect.logit_interval[1])
    assert outcome_from(json.loads(json.dumps(plain_outcome(one))), tmp_path) == one


@pytest.mark.parametrize("change", [{"weights": "0ac"}, {"seed": 4}, {"training": {"optimizer": {"lr": 0.1}}}])
def test_another_key_is_another_outcome(change, tmp_path):
    folder, _ = saved(tmp_path)
    assert load_outcome(folder, KEY | change) is None


@pytest.mark.parametrize("broken", ["model.ckpt", "outcome.json"])
def test_half_an_outcome_is_none(broken, tmp_path):
    folder, _ = saved(tmp_path)
    path = folder / broken
    path.unlink()
    assert load_outcome(folder, KEY) is None
    if broken == "outcome.json":
        path.write_text('{"format": 2, "key": {')
        assert load_outcome(folder, KEY) is None


def test_an_outcome_without_a_key_is_none(tmp_path):
    folder, _ = saved(tmp_path)
    content = json.loads((folder / "outcome.json").read_text())
    del content["key"]
    (folder / "outcome.json").write_text(json.dumps(content))
    assert load_outcome(folder, KEY) is None


def test_a_new_network_is_made_once_for_all_methods_of_a_seed():
    made = []
    start = new_networks(lambda: made.append(1) or SmallCNN(2, width=2), torch.device("cpu"))
    first, second, other = start(0), start(0), start(1)
    assert len(made) == 2
    assert torch.equal(first.features[0][0].weight, second.features[0][0].weight)
    assert first.features[0][0].weight is not second.features[0][0].weight
    assert not torch.equal(first.features[0][0].weight, other.features[0][0].weight)


def test_a_killed_training_goes_on_with_its_own_state_alone(tmp_path):
    begin_repair(tmp_path, KEY)
    state = tmp_path / HALFWAY / "last.ckpt"
    state.parent.mkdir()
    state.write_text("half")
    begin_repair(tmp_path, KEY)
    assert state.is_file()
    begin_repair(tmp_path, KEY | {"weights": "0ac"})
    assert not state.exists()
