"""Networks on disk, corrected or not."""

from __future__ import annotations

import pytest
import torch

from unhans.clarc import Correction, corrected, corrections_of, uncorrected
from unhans.experiment.run import Classifier
from unhans.models import SmallCNN, load_network, save_network

CLASSES = ["cat", "dog", "emu"]
LAYER = "features.1"


def network(seed=0, width=2):
    torch.manual_seed(seed)
    return SmallCNN(3, width=width).eval()


def correction(width=2):
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(1, 2 * width, 8, 8, generator=generator)
    return Correction(direction / direction.norm(), torch.tensor([0.5]))


def images():
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def test_a_plain_network_comes_back(tmp_path):
    save_network(network(), CLASSES, tmp_path / "model.ckpt")
    found = load_network(network(1), CLASSES, tmp_path / "model.ckpt")
    assert torch.equal(found.eval()(images()), network()(images()))
    assert "corrections" not in torch.load(tmp_path / "model.ckpt", weights_only=True)


@pytest.mark.parametrize("only", [None, 1])
def test_a_corrected_network_comes_back(only, tmp_path):
    model = corrected(network(), {LAYER: correction()}, only=only)
    save_network(model, CLASSES, tmp_path / "model.ckpt")
    found = load_network(network(1), CLASSES, tmp_path / "model.ckpt")
    assert list(corrections_of(found)) == [LAYER]
    assert torch.equal(found.eval()(images()), model(images()))
    assert torch.equal(uncorrected(found)(images()), network()(images()))


def test_a_classifier_gets_the_corrections(tmp_path):
    model = corrected(network(), {LAYER: correction()})
    save_network(model, CLASSES, tmp_path / "model.ckpt")
    classifier = Classifier(network(1), CLASSES, torch.optim.SGD)
    classifier.model = load_network(classifier.model, CLASSES, tmp_path / "model.ckpt")
    assert torch.equal(classifier.eval()(images()), model(images()))


def test_corrections_of_another_network_are_one_sentence(tmp_path):
    save_network(corrected(network(), {LAYER: correction()}), CLASSES, tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match=r"model.ckpt do(es)? not fit"):
        load_network(network(width=4), CLASSES, tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match="do not fit Linear"):
        load_network(torch.nn.Linear(2, 3), CLASSES, tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match=r"was trained on the classes \['cat', 'dog', 'emu'\], the data has"):
        load_network(network(), ["a", "b", "c"], tmp_path / "model.ckpt")
