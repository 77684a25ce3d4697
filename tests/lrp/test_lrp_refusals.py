"""What cannot be explained is refused in one sentence that names the operation and its place."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images
from torch import nn

from unhans.lrp import LRP, Epsilon, Flat, UnsupportedModelError


def refusal(action, error=UnsupportedModelError):
    """Return the message, which is one sentence."""
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert ". " not in message
    return message


WITHOUT_RULE = {
    "aten._log_softmax at 'norm'": lambda net, x: net.fc(net.norm(x)),
    "aten.cumsum": lambda net, x: net.fc(x.cumsum(1)),
    "aten.reciprocal": lambda net, x: net.fc(1 / x),
    "aten.exp": lambda net, x: net.fc(x.exp()),
    "aten.pow": lambda net, x: net.fc(x**-1),
    "aten.floor": lambda net, x: net.fc(x.floor()),
    "aten._to_copy": lambda net, x: net.fc((x > 0).double()),
    "aten.erf": lambda net, x: net.fc(x.erf()),
}
ANSWERS = {
    "probabilities from aten.sigmoid": lambda net, x: torch.sigmoid(net.fc(x)),
    "probabilities from aten.sigmoid at 'gate'": lambda net, x: net.gate(net.fc(x)),
    "probabilities from aten._softmax": lambda net, x: net.fc(x).softmax(1),
    "probabilities from aten._log_softmax": lambda net, x: F.log_softmax(net.fc(x), 1),
    "returns logits (n, C), a tensor, got a dict with the keys 'scores'": lambda net, x: {"scores": net.fc(x)},
    "got a tuple of a tensor (2, 4), a tensor (2, 4); wrap": lambda net, x: (net.fc(x), x),
    "returns logits (n, C), a tensor, got a NoneType": lambda net, x: None,
    "depend on the input, Written returned a constant": lambda net, _: net.fc.weight.mean((0, 1)),
    "returned a constant": lambda net, x: net.fc.bias.expand(x.size(0), 4),
    "cannot follow the in-place operation aten.relu": lambda net, x: (h := net.fc(x), h[:, :2].relu_(), h)[2],
    "never writes a model, but aten.add_ writes one of its": lambda net, x: (net.fc.weight.add_(1), net.fc(x))[1],
    "without chance, got aten.bernoulli_": lambda net, x: F.dropout(net.fc(x), 0.5, training=True),
    "leaves them by numpy": lambda net, x: net.fc(torch.from_numpy(x.numpy())),
}


def written(forward):
    return Written(forward, fc=nn.Linear(4, 4), gate=nn.Sigmoid(), norm=nn.LogSoftmax(1)).double()


@pytest.mark.parametrize("name", WITHOUT_RULE)
def test_an_operation_without_a_rule(name):
    message = refusal(lambda: LRP(written(WITHOUT_RULE[name])).attribute(images(2, 4), 0))
    assert message == f"LRP has no rule for the operation {name}."


@pytest.mark.parametrize("fragment", ANSWERS)
def test_what_is_not_logits_of_the_input(fragment):
    model = written(ANSWERS[fragment])
    before = copy.deepcopy(model.state_dict())
    assert fragment in refusal(lambda: LRP(model).attribute(images(2, 4), 0))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite(value):
    x = images(2, 4)
    x[1, 2] = value
    with pytest.raises(ValueError, match="inputs must be finite, got NaN or infinite values"):
        LRP(torch.nn.Linear(4, 2).double()).attribute(x, 0)


def test_the_books_are_for_one_target_a_sample():
    with pytest.raises(ValueError, match=r"one class a sample, got the shape \(2, 2\)"):
        LRP(torch.nn.Linear(4, 2).double()).conservation(images(2, 4), torch.tensor([[0, 1], [1, 0]]))


def test_what_relevance_does_not_reach_needs_no_rule():
    """The exponential only weighs: relevance goes to the signal that it divides."""
    model = written(lambda net, x: net.fc(x) / x.exp().cumsum(1))
    assert LRP(model).attribute(images(2, 4), 0).isfinite().all()


PYTHON = {
    "control flow": lambda net, x: net.fc(x) if x.sum() > 1e9 else net.fc(x.clone()),
    "a loop over samples": lambda net, x: torch.stack([net.fc(row) for row in x]),
    "len": lambda net, x: net.fc(x) * (len(x) / 2),
    "a string": lambda net, x: net.fc(torch.einsum("ij->ij", x)),
}


@pytest.mark.parametrize("name", PYTHON)
def test_any_python_is_followed(name):
    model, x = written(PYTHON[name]), images(2, 4)
    torch.testing.assert_close(LRP(model, "epsilon").attribute(x, 1), LRP(model.fc, "epsilon").attribute(x, 1))


def test_a_forward_set_on_an_instance():
    """It is bound to the live module, which would run with its own flags."""
    model = nn.Sequential(nn.Linear(2, 2))
    forward = model[0].forward
    model[0].forward = lambda x: 3 * forward(x)
    message = refusal(lambda: LRP(model).attribute(torch.ones(1, 2), 0))
    assert message == "A forward was set on an instance of Linear; it would run the live model."


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("wrap", [lambda net: net, nn.Sequential])
def test_a_scripted_network(wrap):
    message = refusal(
        lambda: LRP(wrap(torch.jit.script(nn.Sequential(nn.Linear(2, 2))))).attribute(torch.ones(1, 2), 0)
    )
    assert message == (
        "LRP expects modules in Python, got a RecursiveScriptModule compiled by torch.jit, whose parts cannot be told "
        "apart; give it the network that was compiled."
    )


def test_a_layer_kept_in_a_list_is_not_written():
    """It is no part of the module tree, so it runs as it is: here in training mode, which would write statistics."""

    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 2), nn.BatchNorm1d(2)]

        def forward(self, x):
            return self.layers[1](self.layers[0](x))

    model = Hidden()
    assert "never writes a model, but aten.native_batch_norm" in refusal(
        lambda: LRP(model).attribute(torch.ones(3, 2), 0)
    )
    assert model.layers[1].running_mean.tolist() == [0, 0]
    model.layers[1].eval()
    assert LRP(model).attribute(torch.ones(3, 2), 0).shape == (3, 2)


MODEL = nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (4, "target: expected classes 0 to 3, got 4 to 4."),
        (-1, "target: expected classes 0 to 3, got -1 to -1."),
        ([0, 9], "target: expected classes 0 to 3, got 0 to 9."),
        (None, "target: expected a class or (n,) classes for a model with 4 outputs, got None."),
        (0.5, "target: expected a class or (2,) classes as integers, got torch.float32 of shape ()."),
        (torch.zeros(3).long(), "target: expected a class or (2,) classes as integers, got torch.int64 of shape (3,)."),
        (
            torch.zeros(3, 1).long(),
            "target: expected a class or (2,) classes as integers, got torch.int64 of shape (3, 1).",
        ),
    ],
    ids=str,
)
def test_a_bad_target(target, message):
    inputs = images(2, 2, 3, 3).float()
    assert refusal(lambda: LRP(MODEL).attribute(inputs, target), ValueError) == message


@pytest.mark.parametrize(
    ("model", "shape"), [(nn.Sequential(*MODEL[:2]), "(2, 3, 2, 2)"), (nn.Sequential(nn.Flatten(0)), "(36,)")]
)
def test_logits_of_a_wrong_shape(model, shape):
    message = refusal(lambda: LRP(model).attribute(images(2, 2, 3, 3).float(), 0), ValueError)
    assert message == f"an explanation expects logits of shape (n, C), got {shape}."


@pytest.mark.parametrize(
    ("composite", "fragment"),
    [
        ("epsilonplus", "composite expects one of epsilon_plus_flat, epsilon_plus, "),
        ("epsilon_gamma_box", "composite 'epsilon_gamma_box': missing 2 required positional arguments: 'low' and"),
        ([("convolutions", Epsilon())], "operation is one of convolution, dense, average_pool, batch_norm, layer"),
        ([("convolution", Epsilon())], "no rule for the dense layer '3'; its patterns are operation 'convolution'"),
        (
            [({"kind": "dense"}, Epsilon())],
            "A composite matches by operation, name, depth, through, output, got 'kind'",
        ),
        ([({"depth": 0}, Epsilon())], "depth is 1 or more, got 0"),
        ([{"match": "dense"}], "has match and rule, got match"),
        (
            [("dense", "epsilons")],
            "A rule is one of epsilon, alpha_beta, z_plus, signed_z_plus, gamma, flat, w_square, z_box, or",
        ),
        ([("dense", {"epsilon": {"eps": 1}})], "rule 'epsilon': got an unexpected keyword argument 'eps'"),
        ([({"name": "layer9.*"}, Flat())], "pattern name 'layer9.*' matches no layer; there are 0, 3."),
        ([({"through": "9"}, Flat())], "pattern through '9' names no module; there are 0, 1, 2, 3."),
        ([Epsilon()], "composite expects a name, a rule or a list of (pattern, rule)"),
        (None, "composite expects a name, a rule or a list of (pattern, rule), got None"),
    ],
)
def test_a_bad_composite(composite, fragment):
    assert fragment in refusal(lambda: LRP(MODEL, composite).attribute(images(2, 2, 3, 3).float(), 0), ValueError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "9"}, "layer '9': no module of that path returns one tensor; there are 0, 1, 2, 3."),
        ({"layer": "0#1"}, "layer '0#1': the module runs 1 times; choose 0#0 to 0#0."),
        ({"start_layer": "0"}, "start_layer needs start: the relevance of that layer's output."),
        ({"start": torch.ones(2, 3)}, "start expects shape (2, 4), got (2, 3)."),
        ({"start": torch.ones(2, 3, 2, 2), "start_layer": "1", "layer": "3"}, "No relevance reaches aten.addmm at '3': "
         "it only weighs other values, or lies behind the start."),
    ],
)  # fmt: skip
def test_a_bad_layer_or_start(options, message):
    inputs = images(2, 2, 3, 3).float()
    assert refusal(lambda: LRP(MODEL).attribute(inputs, None if "start" in options else 0, **options), ValueError) == (
        message
    )
