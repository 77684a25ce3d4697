"""Which layers there are, what they return on images, and which one separates best."""

from __future__ import annotations

import copy

import clarc_cases as cases
import pytest
import torch
from live_state import state
from torch import nn

from unhans.clarc import activations, check_layer, fit, layers, rank_layers


class Winding(nn.Module):
    """A network whose modules run in another order, twice, never, or return what is no feature map."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.Identity())
        self.relu = nn.ReLU(inplace=True)
        self.unused = nn.Conv2d(3, 4, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()

    def forward(self, x):
        h = self.relu(self.first(x))
        return self.head(self.flatten(self.pool(self.relu(self.second(h)))))


def test_layers_are_those_that_run_once_in_the_order_of_execution():
    found = layers(Winding(), cases.images(2, 8))
    assert list(found.items()) == [
        ("first.0", torch.Size([2, 4, 6, 6])),  # dropout and identity return the same tensor, and so does `first`
        ("second", torch.Size([2, 4, 6, 6])),
        ("pool", torch.Size([2, 4, 1, 1])),
    ]


def test_an_in_place_activation_is_a_layer_of_its_own():
    assert list(layers(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True)), cases.images(1, 4))) == ["0", "1"]


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_every_listed_layer_of_a_known_network_passes_the_check(name):
    net, _, x = cases.network(name)
    found = layers(net, x[:1])
    assert len(found) > 15
    for each in list(found)[::5]:
        check_layer(net, each, x[:1])
        assert activations(net, each, x[:2]).shape == (2, *found[each][1:])


REFUSED = [
    ("secnd", "does not exist in this Winding; near names: second"),
    ("relu", "runs once, but 'relu' runs 2 times"),
    ("unused", "runs once, but 'unused' runs 0 times"),
    ("flatten", r"feature maps \(n, C, H, W\) or .*, but the output of 'flatten' is of shape \(1, 4\)"),
    ("head", r"of shape \(1, 2\)"),
]


@pytest.mark.parametrize(("layer", "message"), REFUSED)
def test_a_layer_that_cannot_be_corrected_is_refused_in_one_sentence(layer, message):
    for refuse in (check_layer, activations):
        with pytest.raises(ValueError, match=message):
            refuse(Winding(), layer, cases.images(1, 8))


def compiled_in_place():
    net = Winding()
    net.compile()
    return net


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: torch.compile(Winding()), "not compiled"),
        (lambda: nn.Sequential(torch.compile(Winding())), "not compiled"),
        (compiled_in_place, "not compiled"),
        (lambda: nn.DataParallel(Winding()), "wrapped in DataParallel"),
    ],
)
def test_compiled_and_parallel_networks_are_refused_in_one_sentence(build, message):
    for refuse in (lambda net, x: check_layer(net, "second", x), layers):
        with pytest.raises(ValueError, match=message):
            refuse(build(), cases.images(1, 8))


def test_a_network_wrapped_for_distributed_training_is_refused():
    wrapped = object.__new__(nn.parallel.DistributedDataParallel)  # without a process group
    nn.Module.__init__(wrapped)
    wrapped.module = Winding()
    with pytest.raises(ValueError, match="wrapped in DistributedDataParallel"):
        check_layer(wrapped, "module.second", cases.images(1, 8))


@pytest.mark.parametrize("layer", ["features.0.1", "features.0.2", "features.2"])
def test_activations_are_what_the_layer_returns_in_evaluation_mode_before_anything_writes_into_it(layer):
    net, _, _ = cases.network()
    x = cases.images(7)
    net.train()
    before, values = state(net), copy.deepcopy(net.state_dict())
    found = activations(net, layer, x, batch_size=3)
    assert state(net) == before
    assert all(torch.equal(value, values[key]) for key, value in net.state_dict().items())
    stages = {"features.0.1": lambda n: n.features[0][:2], "features.0.2": lambda n: n.features[0][:3]}
    literal = stages.get(layer, lambda n: n.features[:3])(copy.deepcopy(net).eval())
    h = literal(x)
    torch.testing.assert_close(found, h.detach())
    assert not found.requires_grad
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        activations(copy.deepcopy(net).bfloat16(), layer, x.bfloat16()), found, atol=0.1, rtol=0.1
    )


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="at least one image"):
        activations(Winding(), "second", cases.images(0, 8))


def test_layers_are_ranked_by_held_out_separation():
    net, _, _ = cases.network()
    plain, marked = cases.images(20, seed=3), cases.images(14, seed=4)
    marked[:, :, :6, :6] += 0.6
    ranked = rank_layers(net, marked, plain, seed=1, batch_size=8)
    assert {concept.layer for concept in ranked} == set(layers(net, plain[:1]))
    keys = [(concept.separation, concept.distance) for concept in ranked]
    assert keys == sorted(keys, reverse=True)
    which = torch.arange(34) < 14
    for concept in (ranked[0], ranked[-1]):
        alone = fit(activations(net, concept.layer, torch.cat([marked, plain])), which, layer=concept.layer, seed=1)
        assert alone.separations == concept.separations
        torch.testing.assert_close(alone.direction, concept.direction)
    named = rank_layers(net, marked, plain, ["features.2", "features.0"], seed=1, memory=1)
    assert {concept.layer for concept in named} == {"features.2", "features.0"}


def test_layers_that_do_not_fit_into_memory_are_left_out_unless_named():
    net, _, x = cases.network()
    sizes = {name: shape.numel() for name, shape in layers(net, x[:1]).items()}
    small = rank_layers(net, x, -x, memory=4 * 6 * 4096)
    assert {concept.layer for concept in small} == {name for name, size in sizes.items() if size <= 4096}
    assert 0 < len(small) < len(sizes)
    with pytest.raises(ValueError, match="No layer's activations of at most 0 elements"):
        rank_layers(net, x, -x, memory=1)
