"""Relevance of several layers from one pass: the same as from a pass for each of them."""

from __future__ import annotations

import pytest
import torch
from live_state import state
from lrp_networks import Net, Written, images, seeded
from torch import nn
from torchvision import models

from unhans.lrp import LRP


def whole(relevance):
    return relevance.clone()


def folded():
    """A convolution folded with its batch norm, a module that runs twice, and a sum of both ways."""
    modules = {
        "conv": nn.Conv2d(3, 6, 3, padding=1),
        "norm": nn.BatchNorm2d(6),
        "twice": nn.Conv2d(6, 6, 3, padding=1),
        "relu": nn.ReLU(inplace=True),
        "fc": nn.Linear(6 * 64, 4),
    }

    def forward(net, x):
        x = net.relu(net.norm(net.conv(x)))
        return net.fc((net.relu(net.twice(net.relu(net.twice(x)))) + x).flatten(1))

    return Written(forward, **modules)


def assert_same_as_single_calls(model, x, target, layers, composite="epsilon_plus_flat"):
    explainer = LRP(model, composite)
    found = explainer.explain_through(x, target, layers, whole)
    assert list(found.layers) == list(layers)
    expected = explainer.explain(x, target)
    torch.testing.assert_close(found.relevance, expected.relevance)
    torch.testing.assert_close(found.logits, expected.logits)
    for layer in layers:
        alone = explainer.attribute(x, target, layer=layer)
        torch.testing.assert_close(found.layers[layer], alone, msg=lambda m, at=layer: f"{at}: {m}")
        assert alone.abs().sum() > 0


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1"])
def test_layers_of_a_residual_network(composite):
    layers = ("conv1", "bn1", "relu#0", "conv2", "bn2", "relu#1", "pool", "drop", "fc")
    assert_same_as_single_calls(seeded(Net), images(3, 3, 8, 8), torch.tensor([0, 3, 1]), layers, composite)


@pytest.mark.parametrize("layers", [("conv", "norm"), ("norm", "conv"), ("twice#1", "twice#0", "conv"), ("relu#2",)])
def test_folded_and_repeated_layers_in_any_order(layers):
    assert_same_as_single_calls(seeded(folded), images(2, 3, 8, 8), 2, layers)


def test_layers_of_resnet_18():
    model = seeded(models.resnet18, dtype=torch.float32)
    layers = ("layer4", "layer4.1.conv1", "layer3.0.downsample", "layer2", "bn1", "maxpool")
    assert_same_as_single_calls(model, images(2, 3, 64, 64, dtype=torch.float32), 7, layers)


def test_a_layer_that_hands_on_the_input_has_its_relevance():
    model = seeded(lambda: nn.Sequential(nn.Identity(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)))
    assert_same_as_single_calls(model, images(2, 3, 8, 8), 1, ("0", "2"))


def test_no_layers_are_a_plain_explanation():
    assert_same_as_single_calls(seeded(Net), images(2, 3, 8, 8), 1, ())


def test_what_is_kept_is_what_was_pooled():
    model, x = seeded(Net), images(3, 3, 8, 8)
    found = LRP(model).explain_through(x, 1, ["relu#1"], lambda relevance: relevance.flatten(2).sum(2))
    alone = LRP(model).attribute(x, 1, layer="relu#1")
    torch.testing.assert_close(found.layers["relu#1"], alone.sum((2, 3)))


def test_the_live_model_is_untouched():
    model, x = seeded(Net), images(2, 3, 8, 8)
    model(x).sum().backward()
    before, kept = state(model), [value.clone() for value in model.state_dict().values()]
    explainer = LRP(model)
    explainer.explain_through(x, 1, ["conv1", "relu#0"], whole)
    explainer.layers(x)
    assert state(model) == before
    assert all(torch.equal(one, other) for one, other in zip(model.state_dict().values(), kept, strict=True))


def test_an_unknown_layer_is_named():
    with pytest.raises(ValueError, match="nothing"):
        LRP(seeded(Net)).explain_through(images(2, 3, 8, 8), 1, ["nothing"], whole)


def test_the_layers_are_those_that_run_once_in_their_order():
    found = LRP(seeded(folded)).layers(images(2, 3, 8, 8))
    assert found == {"conv": (2, 6, 8, 8), "norm": (2, 6, 8, 8), "fc": (2, 4)}


def test_the_next_step_of_training_is_seen():
    model, x = seeded(Net), images(2, 3, 8, 8)
    explainer = LRP(model)
    before = explainer.explain_through(x, 1, ["pool"], whole).layers["pool"]
    with torch.no_grad():
        model.fc.weight.mul_(-1)
    after = explainer.explain_through(x, 1, ["pool"], whole).layers["pool"]
    assert not torch.allclose(before, after)
