"""Networks: heads, weights, refusals."""

from __future__ import annotations

import pytest
import torch
from torchvision import models

from unhans.models import SmallCNN, torchvision_classifier

NAMES = ["squeezenet1_1", "resnet18", "vgg11_bn", "densenet121", "googlenet", "mobilenet_v3_small", "vit_b_16"]


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_gets_a_head(name):
    network = torchvision_classifier(3, name).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 3)


def test_small_cnn_takes_any_size_from_32():
    assert SmallCNN(4)(torch.zeros(2, 3, 32, 48)).shape == (2, 4)


def test_freezing_leaves_the_head():
    network = torchvision_classifier(3, "resnet18", freeze=True)
    assert [name for name, p in network.named_parameters() if p.requires_grad] == ["fc.weight", "fc.bias"]


def test_weights_from_a_file(tmp_path):
    source = models.squeezenet1_1()
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    network = torchvision_classifier(3, "squeezenet1_1", weights=str(tmp_path / "weights.pth"))
    assert torch.equal(network.features[0].weight, source.features[0].weight)
    assert network.classifier[1].out_channels == 3


def test_real_weights(real_data):
    network = torchvision_classifier(5, "squeezenet1_1", weights=str(real_data / "weights" / "squeezenet1_1_ncnn.pth"))
    assert sum(p.numel() for p in network.parameters()) > 700_000


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "resnet19"}, r"model.name expects a torchvision classifier, got 'resnet19'; near names: resnet"),
        (
            {"name": "resnet18", "weights": "IMAGENET"},
            "expects one of IMAGENET1K_V1, DEFAULT, or a path, got 'IMAGENET'",
        ),
        ({"name": "resnet18", "weights": "no/file.pth"}, "no/file.pth does not exist"),
    ],
)
def test_refusals(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        torchvision_classifier(3, **options)


def test_weights_of_another_architecture_are_refused(tmp_path):
    torch.save(models.squeezenet1_1().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(
        ValueError, match=r"does not fit ResNet: 102 parameters are missing|does not fit ResNet: \d+ param"
    ):
        torchvision_classifier(3, "resnet18", weights=str(tmp_path / "weights.pth"))
