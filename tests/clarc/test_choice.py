"""The layer is chosen by what projecting does, on an artifact that the network really uses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from unhans.clarc import Correction, activations, corrected, fit, least_effect

SIDE = 8
CONVOLUTIONS = ("0", "2")


@pytest.fixture(scope="module")
def scene():
    """A network that calls everything with a bright corner class 1, and images with and without that corner."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 3),
    )
    images = torch.rand(90, 3, SIDE, SIDE)
    labels = torch.arange(90) % 3
    for label in range(3):
        images[labels == label, label, 5:] += 1.0
    marked = images.clone()
    marked[:, :, :2, :2] = 3.0
    seen = torch.cat([images, marked[labels == 1]])
    targets = torch.cat([labels, labels[labels == 1]])
    kept = torch.cat([labels != 1, torch.ones(30, dtype=torch.bool)])  # class 1 always has the corner
    seen, targets = seen[kept], targets[kept]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(seen), targets).backward()
        optimizer.step()
    return network.eval(), images, marked, labels


def concepts_of(network, images, marked):
    both, carries = torch.cat([marked, images]), torch.arange(2 * len(images)) < len(images)
    return [fit(activations(network, name, both), carries, layer=name) for name in CONVOLUTIONS]


def test_the_concept_that_leaves_the_least_effect_is_chosen(scene):
    network, images, marked, labels = scene
    concepts = concepts_of(network, images, marked)
    chosen = least_effect(network, concepts, images, marked, labels, 1, batch_size=7)
    effects = {}
    for concept in concepts:  # once more, by hand
        repaired = corrected(network, {concept.layer: Correction.projective([concept])})
        with torch.no_grad():
            change = repaired(marked).softmax(1)[:, 1] - repaired(images).softmax(1)[:, 1]
        effects[concept.layer] = abs(float(change[labels != 1].mean()))
    with torch.no_grad():
        before = network(marked).softmax(1)[:, 1] - network(images).softmax(1)[:, 1]
    assert float(before[labels != 1].mean()) > 0.3, "the network uses the corner"
    assert abs(chosen.effect) == pytest.approx(effects[chosen.concept.layer], abs=1e-6)
    assert effects[chosen.concept.layer] == min(effects.values())


def test_a_concept_that_ruins_the_network_is_not_chosen(scene):
    network, images, marked, labels = scene
    (good,) = concepts_of(network, images, marked)[:1]
    ruined = fit(activations(network, "2", images), labels == 0, layer="2")
    ruined.direction.copy_(torch.ones_like(ruined.direction) / ruined.direction.numel() ** 0.5)
    ruined.unaffected.fill_(100.0)
    chosen = least_effect(network, [ruined, good], images, marked, labels, 1)
    assert chosen.concept is good


@pytest.mark.parametrize("wrong", [0, 7, 8, 30])
def test_one_image_in_a_hundred_may_be_lost_whatever_rounding_says(wrong):
    network = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(3, 2, bias=False))
    network[2].weight.data = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])  # class 1: the first two add up to > 0
    images, labels = torch.zeros(100, 3, 1, 1), torch.zeros(100, dtype=torch.int64)
    images[:, 0] = -1.0
    images[99, :2, 0, 0] = torch.tensor([0.5, -2.0])  # right by the second element alone, which is projected out
    labels[:wrong] = 1
    pasted = images.clone()
    pasted[:, 1] += 3.0
    good = fit(torch.cat([pasted, images]), torch.arange(200) < 100, layer="0")
    useless = replace(good, direction=torch.tensor([0.0, 0.0, 1.0])[:, None, None])
    chosen = least_effect(network, [useless, good], images, pasted, labels, 1)
    assert chosen.concept is good
    assert chosen.accuracy == pytest.approx(0.99 - wrong / 100)


def test_a_choice_of_nothing_is_refused(scene):
    network, images, marked, labels = scene
    with pytest.raises(ValueError, match="a choice needs concepts and images of other classes, got 0 and 60"):
        least_effect(network, [], images, marked, labels, 1)
    with pytest.raises(ValueError, match="got 1 and 0"):
        least_effect(network, concepts_of(network, images, marked)[:1], images, marked, torch.ones(90), 1)
