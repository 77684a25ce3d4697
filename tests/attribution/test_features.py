"""Features of a layer, and predictions with features that were moved, against the network written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer, squeezenet1_1

from unhans.attribution import Features, last_features

CLASSES = 5


@pytest.fixture
def images():
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network():
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU(inplace=True)]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, CLASSES)).train()


def test_the_last_layer_with_places_is_taken(network, images):
    found = last_features(network, images[:1])
    assert found.layer == "3"  # after its rectification
    assert network.training


def test_means_and_moved_logits_are_those_of_the_network_written_out(network, images):
    shifts = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = last_features(network, images[:1])
    with torch.no_grad():
        maps = network[:4](images.clone())
        expected = network[7](maps.mean((2, 3)) + shifts)  # the mean over places takes a constant as it is
    torch.testing.assert_close(found.means(images), maps.double().mean((2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.moved(images, shifts), expected.double(), rtol=1e-5, atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_shift_before_a_rectification_goes_through_it(network, images):
    shifts = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = network[2](network[:2](images.clone())) + shifts[:, :, None, None]
        expected = network[7](maps.relu().mean((2, 3)))
    moved = Features(network, "2").moved(images, shifts)
    torch.testing.assert_close(moved, expected.double(), rtol=1e-5, atol=1e-6)


def test_no_shift_changes_nothing_in_tokens(images):
    torch.manual_seed(0)
    network = VisionTransformer(16, 8, 2, 2, 12, 24, num_classes=CLASSES).eval()
    nn.init.normal_(network.heads.head.weight)
    found = last_features(network, images[:1])
    assert found.means(images).shape == (4, 12)
    with torch.no_grad():
        torch.testing.assert_close(found.moved(images, torch.zeros(4, 12)), network(images).double())
    moved = found.moved(images, torch.randn(4, 12))
    assert not torch.allclose(moved, found.moved(images, torch.zeros(4, 12)))


def test_a_layer_that_scores_classes_is_left_out(images):
    network = squeezenet1_1(num_classes=CLASSES)
    example = torch.rand(1, 3, 64, 64)
    assert last_features(network, example).means(example).shape == (1, 512)


def test_a_network_without_places_has_none(images):
    assert last_features(nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, CLASSES)), images[:1]) is None
