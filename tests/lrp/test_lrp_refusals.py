"""What cannot be explained is refused in one sentence that names the operation and its place."""

from __future__ import annotations

import operator

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images
from torch import nn

from unhans.lrp import LRP, Epsilon, UnsupportedModelError
from unhans.lrp.vocabulary import described


def refusal(action, error=UnsupportedModelError):
    """Return the message, which is one sentence."""
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert ". " not in message
    return message


MODULES = {
    "torch.nn.Softmax at '1'": nn.Softmax(1),
    "torch.nn.LogSoftmax at '1'": nn.LogSoftmax(1),
    "torch.nn.LayerNorm at '1'": nn.LayerNorm(4),
    "torch.nn.GroupNorm at '1'": nn.GroupNorm(1, 4),
    "torch.nn.PReLU at '1'": nn.PReLU(),
    "torch.nn.AdaptiveMaxPool2d at '1'": nn.AdaptiveMaxPool2d(1),
    "torch.nn.ConvTranspose2d at '1'": nn.ConvTranspose2d(4, 4, 2),
    "torch.nn.Upsample at '1'": nn.Upsample(2),
}
FUNCTIONS = {
    "torch.softmax at 'softmax'": lambda _, x: torch.softmax(x, 1),
    "torch.nn.functional.softmax at 'softmax'": lambda _, x: F.softmax(x, 1),
    "Tensor.softmax at 'softmax'": lambda _, x: x.softmax(1),
    "torch.nn.functional.interpolate at 'interpolate'": lambda _, x: F.interpolate(x, 2),
    "torch.matmul at 'matmul'": lambda _, x: torch.matmul(x, x),
    "operator.mul at 'mul'": lambda _, x: x * x,
    "operator.mul at 'mul_1'": lambda _, x: (x * 2) * x.sigmoid(),
    "operator.truediv at 'truediv'": lambda _, x: 1 / x,
    "torch.div at 'div'": lambda _, x: torch.div(x, 2, rounding_mode="floor"),
    "operator.pow at 'pow_1'": lambda _, x: x**2,
    "operator.neg at 'neg'": lambda _, x: -x,
    "Tensor.abs at 'abs_1'": lambda _, x: x.abs(),
    "Tensor.detach at 'detach'": lambda _, x: x.detach(),
    "Tensor.data at 'getattr_1'": lambda _, x: x.data,
    "Tensor.mT at 'getattr_1'": lambda _, x: x.mT,
    "Tensor.clamp_ at 'clamp_'": lambda _, x: (x.clamp_(0), x)[1],
}
ANSWERS = {
    "probabilities from torch.sigmoid at 'sigmoid'": lambda net, x: torch.sigmoid(net.fc(x)),
    "probabilities from torch.nn.Sigmoid at 'gate'": lambda net, x: net.gate(net.fc(x)),
    "return one tensor of logits, got a dict": lambda net, x: {"logits": net.fc(x)},
    "return one tensor of logits, got a tuple": lambda net, x: (net.fc(x), x),
    "return one tensor of logits, got a NoneType": lambda net, x: None,
    "depend on one input, got 0": lambda net, _: net.fc.weight.mean((0, 1)),
    "depend on the input, got a constant at 'expand'": lambda net, x: net.fc.bias.expand(x.size(0), 4),
    "cannot follow the in-place operation Tensor.relu_ at 'relu_': it overwrites the memory of 'fc'": (
        lambda net, x: (h := net.fc(x), h[:, :2].relu_(), h)[2]
    ),
    "the memory of 'drop'": lambda net, x: (d := net.drop(h := net.fc(x)), h.relu_(), d)[2],
}
UNTRACEABLE = {
    "control flow": lambda net, x: net.fc(x) if x.sum() > 0 else x,
    "iterated": lambda net, x: torch.stack([net.fc(row) for row in x]),
    "'len' is not supported": lambda net, x: net.fc(x) * len(x),
}


def written(forward):
    return Written(forward, fc=nn.Linear(4, 4), gate=nn.Sigmoid(), drop=nn.Dropout())


@pytest.mark.parametrize("name", MODULES)
def test_a_module_without_a_rule(name):
    assert refusal(lambda: LRP(nn.Sequential(nn.ReLU(), MODULES[name]))) == f"LRP has no rule for the operation {name}."


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_without_a_rule(name):
    assert refusal(lambda: LRP(written(FUNCTIONS[name]))) == f"LRP has no rule for the operation {name}."


@pytest.mark.parametrize("fragment", ANSWERS)
def test_what_is_not_logits_of_one_input(fragment):
    assert fragment in refusal(lambda: LRP(written(ANSWERS[fragment])))


@pytest.mark.parametrize("fragment", UNTRACEABLE)
def test_what_torch_fx_cannot_trace_names_the_line(fragment):
    message = refusal(lambda: LRP(written(UNTRACEABLE[fragment])))
    assert "which cannot trace Written at test_lrp_refusals.py:" in message
    assert fragment in message


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


def test_two_inputs():
    assert "depend on one input, got 2" in refusal(lambda: LRP(TwoInputs()))


@pytest.mark.parametrize("place", ["Sequential", "0"])
def test_a_forward_set_on_an_instance(place):
    """torch.fx would read the one of the class: another function than the model computes."""
    model = nn.Sequential(nn.Linear(2, 2))
    module = model if place == "Sequential" else model[0]
    forward = module.forward
    module.forward = lambda x: 3 * forward(x)
    assert refusal(lambda: LRP(model)).endswith(f"the forward that was set on the instance {place!r}.")


def test_a_layer_kept_in_a_list():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 2)]

        def forward(self, x):
            return self.layers[0](x)

    assert "not installed as a submodule" in refusal(lambda: LRP(Hidden()))


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
            torch.zeros(2, 1).long(),
            "target: expected a class or (2,) classes as integers, got torch.int64 of shape (2, 1).",
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
    assert message == f"LRP expects logits of shape (n, C), got {shape}."


@pytest.mark.parametrize(
    ("composite", "fragment"),
    [
        ("epsilonplus", "composite expects one of epsilon_plus_flat, epsilon_plus, "),
        ("epsilon_gamma_box", "composite 'epsilon_gamma_box': missing 2 required positional arguments: 'low' and"),
        ([("convolutions", Epsilon())], "pattern is one of convolution, dense, average_pool, batch_norm, first"),
        ([("convolution", Epsilon())], "no rule for the dense layer '3'; its patterns are convolution"),
        ([("dense", "epsilon")], "composite expects a name, a rule or a list of (pattern, rule)"),
        ([Epsilon()], "composite expects a name, a rule or a list of (pattern, rule)"),
        (None, "composite expects a name, a rule or a list of (pattern, rule), got None"),
    ],
)
def test_a_bad_composite(composite, fragment):
    assert fragment in refusal(lambda: LRP(MODEL, composite), ValueError)


def test_operations_are_named_as_users_write_them():
    assert [described(t) for t in (nn.ReLU, F.relu, torch.cat, operator.add, "view", F.avg_pool2d)] == [
        "torch.nn.ReLU", "torch.nn.functional.relu", "torch.cat", "operator.add", "Tensor.view",
        "torch.nn.functional.avg_pool2d",
    ]  # fmt: skip
