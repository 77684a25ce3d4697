"""How a proven reason is taken away before the next network of a Rashomon set is trained."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from unhans.callbacks import AClArC, ArtifactAugmentation

from unhans.artifacts import redrawn
from unhans.clarc import Concept
from unhans.data import PixelScale, paste_artifact
from unhans.experiment.train.removal_routes import Blurred, StartFrom, TakenReason, callbacks_of, taken_from
from unhans.isolation import Isolated, Match
from unhans.repair import ProvenArtifact

SIDE = 24


def isolated(kind="fixed"):
    layer = torch.zeros(4, SIDE, SIDE)
    layer[:, 2:8, 3:9] = 1
    layers = (layer,) if kind == "fixed" else (layer[:, 2:8, 3:9],)
    return Isolated(kind, layers, np.ones(0, bool), np.zeros((0, SIDE, SIDE), bool), None, 1.0, np.zeros((0, 4), int))


def reason(kind="fixed", concept=None):
    none = np.zeros(0, dtype=np.int64)
    return TakenReason(ProvenArtifact(1, "cat", isolated(kind), none, np.array([2]), none, concept=concept))


def test_a_blurred_place_holds_nothing_of_what_lay_there():
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    marked = images.clone()
    marked[:, :, 2:8, 3:9] = torch.tensor([1.0, 0.0, 1.0])[:, None, None]
    blurred, plain = (Blurred(isolated()).put_on(each, np.array([0, 1])) for each in (marked, images))
    assert torch.allclose(blurred, plain, atol=1e-6), "with and without the mark alike: it says nothing of a class"
    assert (blurred[:, :, 3:7, 4:8] - 0.5).abs().max() < 0.1
    assert torch.equal(blurred[:, :, 14:], images[:, :, 14:])
    scale = PixelScale(torch.full((3,), 0.5), torch.full((3,), 0.25))
    pasted = paste_artifact(scale.to_model(marked), Blurred(isolated()), np.array([0, 1]), scale)
    assert torch.allclose(scale.to_display(pasted), blurred, atol=1e-5)


def test_what_changes_its_place_is_blurred_where_it_is_found():
    class Finds:
        def match(self, images):
            masks = np.zeros((len(images), SIDE, SIDE), bool)
            masks[0, 12:18, 12:18] = True
            return Match(masks.any((1, 2)), masks.mean((1, 2)), masks)

    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    changed = (Blurred(isolated("free"), Finds()).put_on(images, np.array([0, 1])) != images).any(1)
    assert changed[0, 12:18, 12:18].all()
    assert not changed[0, :9].any()
    assert 36 <= changed[1].sum() <= 150, "another image is blurred where the artifact would lie"


def test_the_place_of_what_changes_its_place_is_drawn_anew_in_each_epoch():
    images = torch.rand(8, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    for kind, moves in (("free", True), ("fixed", False)):
        first, later, again = (
            (redrawn(Blurred(isolated(kind)), epoch).put_on(images, np.arange(8)) != images) for epoch in (0, 3, 3)
        )
        assert torch.equal(later, again)
        assert torch.equal(first, later) is not moves


def test_every_route_acts_by_its_callbacks(tmp_path):
    assert callbacks_of("paste", [], 0, tmp_path) == []
    (pasting,) = callbacks_of("paste", [reason()], 3, tmp_path)
    assert (len(pasting.added), pasting.seed) == (1, 3)
    (blurring,) = callbacks_of("blur", [reason(), reason()], 3, tmp_path)
    assert isinstance(blurring, ArtifactAugmentation)
    assert [type(each) for each in blurring.given] == [Blurred, Blurred]
    v = torch.ones(2) / 2**0.5
    concept = Concept("body", "pattern", "channels", v, v, -v, 0.0, 5, 5, 0.9, (0.9,))
    start, features = callbacks_of("a_clarc", [reason(concept=concept)], 3, tmp_path / "last.ckpt")
    assert (start.ckpt, features.given, features.layer) == (tmp_path / "last.ckpt", concept, "body")
    assert isinstance(features, AClArC)


def test_the_next_network_begins_with_the_weights_before(tmp_path):
    one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    torch.save({"state_dict": one.state_dict(), "epoch": 4}, tmp_path / "last.ckpt")
    StartFrom(tmp_path / "last.ckpt").setup(None, two, "fit")
    assert torch.equal(one.weight, two.weight)


def test_what_has_no_place_cannot_be_blurred(monkeypatch):
    case = SimpleNamespace(label=1, name="cat", isolated=isolated())
    audit = SimpleNamespace(
        samples_of=lambda label: np.arange(4), source="val",
        dataset=SimpleNamespace(unreadable=torch.tensor([False, True, False, False])),
    )  # fmt: skip
    seen = []

    def found(case, index, epoch):
        seen.append(index.tolist())
        return reason("global").artifact

    monkeypatch.setattr(ProvenArtifact, "from_case", found)
    with pytest.raises(ValueError, match="no place to be blurred"):
        taken_from(case, audit, None, "blur", [])
    assert seen == [[0, 2, 3]]
    assert len(taken_from(case, audit, None, "paste", []).artifact.affected) == 0, "validation images are not spared"


def test_a_reason_is_read_as_it_was_written(tmp_path):
    torch.save(reason().state(), tmp_path / "1.pt")
    again = TakenReason.from_state(torch.load(tmp_path / "1.pt", weights_only=False))
    assert (again.artifact.name, again.artifact.affected.tolist(), again.detector) == ("cat", [2], None)
    assert torch.equal(again.artifact.isolated.layers[0], isolated().layers[0])
