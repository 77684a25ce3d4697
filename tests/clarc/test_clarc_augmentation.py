"""A-ClArC's hook in a live network, and what lies below a layer."""

from __future__ import annotations

import copy

import clarc_cases as cases
import pytest
import torch
from live_state import state
from torch import nn

from unhans.clarc import Correction, activations, augment_layer, corrected, parameters_below


def hooks(net):
    return [
        hook for module in net.modules() for name, found in vars(module).items() if "_hooks" in name for hook in found
    ]


@pytest.mark.parametrize("name", cases.BUILDERS)
def test_the_hook_corrects_only_while_it_is_active_and_leaves_nothing_behind(name):
    net, layer, x = cases.network(name)
    correction = Correction.augmentative(cases.concept(activations(net, layer, x).shape[1:]))
    expected, active, before = net(x), False, state(net)
    keys = list(net.state_dict())
    handle = augment_layer(net, layer, correction, lambda: active)
    assert torch.equal(net(x), expected)
    active = True
    torch.testing.assert_close(net(x), corrected(net_without_hooks(net), {layer: correction})(x))
    assert not torch.equal(net(x), expected)
    assert list(net.state_dict()) == keys
    handle.remove()
    assert torch.equal(net(x), expected)
    assert not hooks(net)
    assert state(net) == before


def net_without_hooks(net):
    copied = copy.deepcopy(net)
    for module in copied.modules():
        module._forward_hooks.clear()
    return copied


def test_features_of_every_sample_carry_the_artifact_and_gradients_reach_the_layers_above_it():
    net, layer, x = cases.network()
    cav = cases.concept(activations(net, layer, x).shape[1:])
    handle, seen = augment_layer(net, layer, Correction.augmentative(cav), lambda: True), []
    net.get_submodule(layer).register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    net(x).sum().backward()
    handle.remove()
    found = (seen[0] * cav.direction).flatten(1).sum(1)
    torch.testing.assert_close(found, (cav.direction * cav.affected).sum().expand(3), atol=1e-4, rtol=1e-4)
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_a_deep_copy_of_the_network_copies_nothing_of_the_caller():
    class Trainer:
        def __deepcopy__(self, memo):
            raise AssertionError("the trainer was copied")

        def training(self):
            return True

    net, layer, x = cases.network()
    trainer = Trainer()
    handle = augment_layer(net, layer, Correction.projective(cases.concept((32, 16, 16))), trainer.training)
    assert torch.equal(copy.deepcopy(net)(x), net(x))
    handle.remove()


def test_a_layer_that_does_not_exist_and_a_compiled_network_are_refused():
    net, _, _ = cases.network()
    correction = Correction.projective(cases.concept((32, 16, 16)))
    with pytest.raises(ValueError, match="does not exist"):
        augment_layer(net, "features.7", correction, lambda: True)
    with pytest.raises(ValueError, match="not compiled"):
        augment_layer(torch.compile(net), "features.1", correction, lambda: True)


class Side(nn.Module):
    """A layer with a branch beside it, an unused parameter, and a weight that is used below and above."""

    def __init__(self):
        super().__init__()
        self.above = nn.Conv2d(4, 4, 1)
        self.stem = nn.Conv2d(3, 4, 1)
        self.side = nn.Conv2d(3, 4, 1)
        self.shared = nn.Conv2d(4, 4, 1, bias=False)
        self.unused = nn.Parameter(torch.ones(2))
        self.count = nn.Parameter(torch.ones(1, dtype=torch.int64), requires_grad=False)

    def forward(self, x):
        h = self.above(self.shared(self.stem(x)).relu_()) + self.side(x)
        return self.shared(h).mean((2, 3))


def test_below_are_the_parameters_that_the_output_depends_on():
    net, x = Side(), cases.images(2, 5)
    net.stem.bias.requires_grad_(False)
    before = state(net)
    assert parameters_below(net, "above", x) == [
        "above.weight",
        "above.bias",
        "stem.weight",
        "stem.bias",
        "shared.weight",
    ]
    assert parameters_below(net, "stem", x) == ["stem.weight", "stem.bias"]
    assert parameters_below(net, "side", x) == ["side.weight", "side.bias"]
    assert state(net) == before
    assert parameters_below(nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 2, 1)), "0", x) == []


@pytest.mark.parametrize("name", cases.BUILDERS)
def test_below_agrees_with_changing_each_parameter(name):
    net, layer, x = cases.network(name)
    found, before = parameters_below(net, layer, x), activations(net, layer, x)
    names = [key for key, _ in net.named_parameters()]
    for key in [*names[:: max(1, len(names) // 8)], *found[-1:]]:
        changed = copy.deepcopy(net)
        with torch.no_grad():
            parameter = changed.get_parameter(key)
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        assert torch.equal(activations(changed, layer, x), before) == (key not in found), key


def test_below_needs_a_layer_with_feature_maps():
    net, _, x = cases.network()
    with pytest.raises(ValueError, match="feature maps"):
        parameters_below(net, "classifier.1", x)
