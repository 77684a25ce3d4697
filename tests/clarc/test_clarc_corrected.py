"""Corrected networks: copies that save, load, trace and export, and whose corrections come out again."""

from __future__ import annotations

import copy
import io
import warnings

import clarc_cases as cases
import pytest
import torch
from live_state import state
from torch import nn

from unhans.clarc import (
    Corrected,
    Correction,
    activations,
    corrected,
    corrections_of,
    layers,
    prepared,
    specification,
    uncorrected,
)


def repaired(name="SmallCNN", only=None, **options):
    """Return a network, a corrected copy, its layer and images."""
    net, layer, x = cases.network(name)
    shape = activations(net, layer, x).shape[1:]
    cavs = [cases.concept(shape, seed, threshold=0.01) for seed in range(2)]
    return net, corrected(net, {layer: Correction.projective(cavs, **options)}, only=only), layer, x


@pytest.mark.parametrize("name", cases.BUILDERS)
def test_outputs_are_bit_identical_without_corrections_or_at_zero_strength(name):
    net, model, layer, x = repaired(name)
    expected = net(x)
    assert not torch.equal(model(x), expected)
    assert torch.equal(uncorrected(model)(x), expected)
    assert list(uncorrected(model).state_dict()) == list(net.state_dict())
    assert not corrections_of(uncorrected(model))
    corrections_of(model)[layer].strength = 0.0
    assert torch.equal(model(x), expected)


@pytest.mark.parametrize("name", cases.BUILDERS)
def test_the_network_computes_with_the_corrected_features(name):
    net, model, layer, x = repaired(name)
    correction = corrections_of(model)[layer]
    handle = net.get_submodule(layer).register_forward_hook(lambda module, inputs, output: correction(output.clone()))
    literal = net(x)
    handle.remove()
    torch.testing.assert_close(model(x), literal)


@pytest.mark.parametrize("only", [None, 1])
def test_the_live_network_is_not_written(only):
    net, layer, x = cases.network()
    net.train()
    net.features[0][0].weight.requires_grad_(False)
    before, values = state(net), copy.deepcopy(net.state_dict())
    shape = activations(net, layer, x).shape[1:]
    model = corrected(net, {layer: Correction.projective(cases.concept(shape))}, only=only)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    model(x)
    layers(net, x)
    uncorrected(model)
    assert state(net) == before
    assert all(torch.equal(value, values[key]) for key, value in net.state_dict().items())
    assert model.training


@pytest.mark.parametrize("only", [None, 2])
@pytest.mark.parametrize("reactive", [False, True])
def test_it_saves_and_loads_weights_only(only, reactive):
    net, model, layer, x = repaired(only=only, reactive=reactive, strength=0.7)
    file = io.BytesIO()
    torch.save({"state_dict": model.state_dict(), "corrections": specification(model)}, file)
    file.seek(0)
    stored = torch.load(file, weights_only=True)
    fresh, _, _ = cases.network(seed=5)
    loaded = prepared(fresh, stored["corrections"])
    assert list(loaded.state_dict()) == list(model.state_dict())
    loaded.load_state_dict(stored["state_dict"])
    assert torch.equal(loaded(x), model(x))
    assert torch.equal(uncorrected(loaded)(x), net(x))
    assert specification(loaded) == specification(model)
    assert corrections_of(loaded)[layer].strength == 0.7


def test_a_network_without_corrections_has_a_specification_too():
    net, _, x = cases.network()
    assert specification(net) == {"corrections": {}, "only": None}
    assert torch.equal(prepared(net, specification(net))(x), net(x))


@pytest.mark.parametrize("only", [None, 1])
@pytest.mark.parametrize("reactive", [False, True])
@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning", "ignore:`torch.jit:DeprecationWarning")
def test_copies_and_traces_give_the_same_outputs(only, reactive):
    _, model, _, x = repaired(only=only, reactive=reactive)
    with torch.no_grad():
        expected = model(x)
        assert torch.equal(copy.deepcopy(model)(x), expected)
        with warnings.catch_warnings():
            warnings.simplefilter("error", torch.jit.TracerWarning)  # what would be a constant of the trace
            torch.testing.assert_close(torch.jit.trace(model, x)(x), expected)
        graph = torch.fx.symbolic_trace(model)
        torch.testing.assert_close(graph(x), expected)
        torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    assert any(name.endswith("correction.directions") for name in graph.state_dict())


def test_half_precision_networks_can_be_corrected_and_corrected_ones_made_half():
    net, model, _, x = repaired()
    expected = model(x)
    late = copy.deepcopy(model).bfloat16()
    early = corrected(copy.deepcopy(net).bfloat16(), corrections_of(model))
    for half in (late, early):
        assert half(x.bfloat16()).dtype == torch.bfloat16
        torch.testing.assert_close(half(x.bfloat16()).float(), expected, atol=0.05, rtol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model(x).float(), expected, atol=0.05, rtol=0.05)
    torch.testing.assert_close(model.double()(x.double()).float(), expected)


class Awkward(nn.Module):
    """Reads its layer's attributes, holds it under two names, and writes into its output."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.alias = self.conv
        self.empty = nn.Sequential()
        self.none = None
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        h = self.alias(x)
        h += self.conv.bias.view(1, self.conv.out_channels, 1, 1)
        return self.head(h.relu_().mean((2, 3)))


@pytest.mark.parametrize("only", [None, 0])
@pytest.mark.parametrize("layer", ["conv", "alias"])
def test_parents_that_lean_on_the_layer_keep_working(only, layer):
    net, x = Awkward().eval(), cases.images(4, 8)
    cav = cases.concept((4, 6, 6))
    model = corrected(net, {layer: Correction.projective(cav)}, only=only)
    h = Correction.projective(cav)(net.conv(x)) + net.conv.bias.view(1, 4, 1, 1)
    expected = net.head(h.relu().mean((2, 3)))
    if only is not None:
        expected = torch.where((net(x).argmax(1) == only)[:, None], expected, net(x))
    torch.testing.assert_close(model(x), expected)
    torch.testing.assert_close(copy.deepcopy(model)(x), expected)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = Corrected(net.conv, Correction.projective(cav)).nothing


def test_a_correction_for_one_class_leaves_the_other_samples_bit_identical():
    net, layer, _ = cases.network()
    x = cases.images(24)
    cav = cases.concept(activations(net, layer, x).shape[1:])
    correction = Correction.augmentative(cav)
    label = int(net(x).argmax(1).mode().values)
    chosen = net(x).argmax(1) == label
    model, everywhere = corrected(net, {layer: correction}, only=label), corrected(net, {layer: correction})
    assert chosen.any()
    assert torch.equal(model(x)[~chosen], net(x)[~chosen])
    torch.testing.assert_close(model(x)[chosen], everywhere(x)[chosen])
    assert torch.equal(uncorrected(model)(x), net(x))
    assert list(corrections_of(model)) == [layer]
    assert len(list(model.parameters())) == len(list(net.parameters()))


def test_corrections_at_several_layers_may_be_made_at_once_or_one_after_the_other():
    net, _, x = cases.network()
    places = {"features.0": (16, 16, 16), "features": (64, 4, 4), "features.1.0": (32, 16, 16)}
    corrections = {name: Correction.projective(cases.concept(shape)) for name, shape in places.items()}
    model, one_by_one = corrected(net, corrections), net
    for name, correction in corrections.items():
        one_by_one = corrected(one_by_one, {name: correction})
    assert torch.equal(model(x), one_by_one(x))
    assert set(corrections_of(model)) == set(corrections_of(one_by_one)) == set(places)
    again = prepared(net, specification(one_by_one))
    again.load_state_dict(one_by_one.state_dict())
    assert torch.equal(again(x), model(x))
    for each in (model, one_by_one, corrected(net, corrections, only=1)):
        assert torch.equal(uncorrected(each)(x), net(x))
    torch.testing.assert_close(
        activations(one_by_one, "features.0", x), corrections["features.0"](activations(net, "features.0", x))
    )


def test_what_cannot_be_corrected_is_refused_in_one_sentence():
    net, model, layer, _ = repaired()
    correction = corrections_of(model)[layer]
    for network, name, message in [
        (net, "features.1.9", r"layer 'features.1.9' does not exist in this SmallCNN; near names: features.1"),
        (net, "", "layer '' does not exist"),
        (model, layer, "was corrected before"),
        (repaired(only=1)[1], layer, "corrected for class 1 alone"),
        (torch.compile(net), layer, "not compiled"),
        (nn.DataParallel(net), layer, "wrapped in DataParallel"),
    ]:
        with pytest.raises(ValueError, match=message):
            corrected(network, {name: correction})
    with pytest.raises(ValueError, match="at least one layer"):
        corrected(net, {})
    for given in ({}, {"corrections": {"a": {"shape": [1]}}}):
        with pytest.raises(ValueError, match="A specification of corrections has reactive, shape, strength"):
            prepared(net, given)
    with pytest.raises(ValueError, match="for feature maps of shape"):
        model(cases.images(2, 64))
