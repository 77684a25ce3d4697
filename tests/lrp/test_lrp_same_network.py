"""One network in many forms: modes, wrappers, precisions, functions, in-place operations explain equally."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Net, Written, functional, images, seeded
from torch import nn
from torch.nn.utils import prune
from torch.optim.swa_utils import AveragedModel
from torchvision.ops import StochasticDepth

from unhans.lrp import LRP, Epsilon, WSquare

COMPOSITES = ("epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon", WSquare())


def assert_same(model, reference, x=None, **tolerance):
    x = images(2, 3, 8, 8, dtype=torch.float32) if x is None else x
    for composite in COMPOSITES:
        expected, result = (LRP(m, composite).explain(x, torch.tensor([1, 0])) for m in (reference, model))
        torch.testing.assert_close(result.logits, expected.logits, **tolerance)
        torch.testing.assert_close(result.relevance, expected.relevance, **tolerance)


def evaluated(model, x):
    with torch.no_grad():
        return copy.deepcopy(model).eval()(x.clone())


@pytest.fixture
def net():
    return seeded(Net, dtype=torch.float32).eval()


def test_logits_are_the_models(net):
    x = images(2, 3, 8, 8, dtype=torch.float32)
    torch.testing.assert_close(LRP(net.train()).explain(x, 0).logits, evaluated(net, x))


def compiled(net):
    model = torch.compile(net, backend="eager")
    with torch.no_grad():
        model(images(2, 3, 8, 8, dtype=torch.float32))
    return model


def compiled_in_place(net):
    net.compile(backend="eager")
    return net


def layer_compiled_in_place(net):
    net.train().drop.compile(backend="eager")
    return net


def partly_compiled(net):
    net.pool = torch.compile(nn.Sequential(net.pool), backend="eager")
    return net


FORMS = {
    "train": lambda net: net.train(),
    "frozen": lambda net: net.requires_grad_(False),
    "data_parallel": nn.DataParallel,
    "averaged": AveragedModel,
    "compiled": compiled,
    "compiled_in_place": compiled_in_place,
    "layer_compiled_in_place": layer_compiled_in_place,
    "partly_compiled": partly_compiled,
    "compiled_parallel": lambda net: torch.compile(nn.DataParallel(net), backend="eager"),
    "inside": lambda net: Written(lambda outer, x: outer.network(x), network=net),
    "traced": lambda net: torch.fx.symbolic_trace(net),
    "functional": lambda net: Written(functional, **dict(net.named_children())),
    "channels_last": lambda net: net.to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_explains_equally(net, form):
    reference = copy.deepcopy(net)
    assert_same(FORMS[form](net), reference)


def test_distributed_data_parallel(net, tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        assert_same(nn.parallel.DistributedDataParallel(net), copy.deepcopy(net))
    finally:
        torch.distributed.destroy_process_group()


CONTEXTS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_context_explains_equally(net, context):
    for model in (net, Written(functional, **dict(net.named_children()))):
        for composite in COMPOSITES:
            expected = LRP(model, composite).attribute(images(2, 3, 8, 8, dtype=torch.float32), 1)
            with CONTEXTS[context]():
                result = LRP(model, composite).attribute(images(2, 3, 8, 8, dtype=torch.float32) + 0, 1)
            assert torch.equal(result, expected)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_weights_are_explained_in_float32(net, half):
    narrow = copy.deepcopy(net).to(half)
    assert_same(narrow, copy.deepcopy(narrow).float(), rtol=1e-4, atol=1e-6)
    x = images(2, 3, 8, 8, dtype=torch.float32)
    relevance, logits = LRP(narrow).explain(x.to(half), 1)
    assert (relevance.dtype, logits.dtype) == (half, torch.float32)
    torch.testing.assert_close(logits, evaluated(net, x), rtol=0.05, atol=0.05)


def test_the_wider_precision_wins(net):
    relevance, logits = LRP(net).explain(images(2, 3, 8, 8), 1)
    assert (relevance.dtype, logits.dtype) == (torch.float64, torch.float64)
    assert LRP(copy.deepcopy(net).double()).attribute(images(2, 3, 8, 8).float(), 1).dtype == torch.float32


def test_integer_images_have_real_relevance(net):
    x = torch.randint(0, 5, (2, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(LRP(net).attribute(x, 1), LRP(net).attribute(x.float(), 1))


def test_the_same_bits_every_time(net):
    x = images(2, 3, 8, 8, dtype=torch.float32)
    first, second = (LRP(net).attribute(x, 1) for _ in range(2))
    assert torch.equal(first, second)


def test_a_sample_does_not_depend_on_its_batch(net):
    x = images(3, 3, 8, 8, dtype=torch.float32)
    torch.testing.assert_close(LRP(net).attribute(x, 1)[1:2], LRP(net).attribute(x[1:2], 1))


def test_no_images(net):
    assert LRP(net).attribute(torch.zeros(0, 3, 8, 8), 1).shape == (0, 3, 8, 8)


def test_an_explainer_follows_training(net):
    """Parameters and statistics are read at every call, also when a state dict replaces them."""
    explainer, x = LRP(net), images(4, 3, 8, 8, dtype=torch.float32)
    before = explainer.attribute(x, 1)
    optimizer = torch.optim.SGD(net.train().parameters(), lr=0.1)
    net(x).square().sum().backward()
    optimizer.step()
    trained = explainer.attribute(x, 1)
    assert not torch.allclose(trained, before)
    assert torch.equal(trained, LRP(net).attribute(x, 1))
    net.load_state_dict(seeded(Net, seed=5, dtype=torch.float32).state_dict(), assign=True)
    assert torch.equal(explainer.attribute(x, 1), LRP(net).attribute(x, 1))
    net.double()
    assert torch.equal(explainer.attribute(x.double(), 1), LRP(net).attribute(x.double(), 1))


def layers():
    return {
        "conv": nn.Conv2d(3, 6, 3, padding=1), "mix": nn.Conv2d(6, 6, 1), "relu": nn.ReLU(), "fc": nn.Linear(384, 4),
        "drop": nn.Dropout(), "deep": StochasticDepth(0.5, "row"),
    }  # fmt: skip


def residual(net, x):
    x = net.relu(net.conv(x))
    y = net.mix(x)
    return net.fc(net.relu(x + y).flatten(1))


def residual_of(add, relu=F.relu, flat=lambda t: torch.flatten(t, 1)):
    def forward(net, x):
        x = relu(net.conv(x))
        return net.fc(flat(relu(add(net.mix(x), x))))

    return forward


def statement(y, x):
    y += x
    return y


def write(relu):
    """The function applied in place as a statement, its result unused."""

    def forward(net, x):
        x = net.conv(x)
        relu(x)
        y = net.mix(x)
        y += x
        relu(y)
        return net.fc(y.view(y.shape[0], -1))

    return forward


def inplace_net(forward):
    return lambda modules: Written(forward, **{**modules, "relu": nn.ReLU(inplace=True)})


def counted(net, x):
    """Shape arithmetic in place is no in-place operation on a tensor."""
    x = net.relu(net.conv(x))
    y = net.relu(x + net.mix(x))
    features = channels = y.size(1)
    features *= y.size(2)
    features *= y.size(3)
    return net.fc(y.view(y.size(0), channels, -1).narrow(1, 0, 6).reshape(-1, features))


RESIDUALS = {
    "iadd": residual_of(statement),
    "add_": residual_of(lambda y, x: y.add_(x)),
    "torch.add": residual_of(torch.add),
    "method": residual_of(lambda y, x: y.add(x)),
    "alpha": residual_of(lambda y, x: torch.add(y, x, alpha=1)),
    "minus": residual_of(lambda y, x: y - x * -1),
    "halves": residual_of(lambda y, x: (y * 0.5 + x / 2) * 2),
    "inplace": residual_of(torch.add, lambda t: F.relu(t, inplace=True)),
    "relu_": residual_of(torch.add, lambda t: t.relu_()),
    "torch.relu_": residual_of(torch.add, torch.relu_),
    "torch.relu": residual_of(torch.add, torch.relu),
    "relu method": residual_of(torch.add, lambda t: t.relu()),
    "view": residual_of(torch.add, flat=lambda t: t.view(t.size(0), -1)),
    "reshape": residual_of(torch.add, flat=lambda t: t.reshape(t.shape[0], -1)),
    "permute": residual_of(torch.add, flat=lambda t: t.permute(0, 2, 3, 1).permute(0, 3, 1, 2).contiguous().flatten(1)),
    "parts": residual_of(lambda y, x: torch.cat([y[:, :2] + x[:, :2], y[:, 2:] + x.narrow(1, 2, 4)], 1)),
    "dropout": residual_of(lambda y, x: F.dropout(y, 0.5, False) + F.dropout2d(x, training=False)),
    "pad": residual_of(lambda y, x: F.pad(y + x, (1, 1, 1, 1))[:, :, 1:-1, 1:-1]),
    "counted": counted,
    "written relu_": write(lambda t: t.relu_()),
    "written F.relu": write(lambda t: F.relu(t, inplace=True)),
}


@pytest.mark.parametrize("form", RESIDUALS)
def test_every_spelling_of_a_residual_explains_equally(form):
    modules = seeded(lambda: nn.ModuleDict(layers()), dtype=torch.float64)
    reference, model = (Written(forward, **modules) for forward in (residual, RESIDUALS[form]))
    x = images(2, 3, 8, 8)
    torch.testing.assert_close(LRP(model).explain(x, 0).logits, evaluated(model, x))
    assert_same(model, reference, x)


def preactivation(net, x):
    """The skip adds what it reads before the activation, unless the activation works in place."""
    x = net.conv(x)
    y = net.mix(net.relu(x))
    return net.fc(net.drop(net.deep(y + x)).flatten(1))


def activated_skip(net, x):
    x = net.relu(net.conv(x))
    return net.fc((net.mix(x) + x).flatten(1))


def test_an_in_place_activation_changes_what_is_read_after_it():
    modules = seeded(lambda: nn.ModuleDict(layers()))
    x, in_place = images(2, 3, 8, 8), {**modules, "relu": nn.ReLU(inplace=True)}
    assert_same(Written(preactivation, **in_place), Written(activated_skip, **modules), x)
    torch.testing.assert_close(
        LRP(Written(preactivation, **in_place)).explain(x, 0).logits, evaluated(Written(preactivation, **in_place), x)
    )
    before, after = (LRP(Written(f, **modules)).explain(x, 0).logits for f in (preactivation, activated_skip))
    assert not torch.allclose(before, after)


def overwriting(change):
    """A network in which another name reads what `change` did to x."""

    def forward(net, x):
        y = net.mix(net.conv(x))
        x = other = net.conv(x)
        changed = change(x, y)
        return net.fc((other + changed * 0.5).flatten(1))

    return forward


def iadd(x, y):
    x += y
    return x


def isub(x, y):
    x -= y
    return x


def imul(x, y):
    x *= 3.0
    return y


def itruediv(x, y):
    x /= 3.0
    return y


OVERWRITING = {
    "+=": iadd,
    "-=": isub,
    "*=": imul,
    "/=": itruediv,
    "add_": lambda x, y: x.add_(y),
    "statement": lambda x, y: (x.mul_(2.0), y)[1],
    "twice": lambda x, y: iadd(isub(x, y), 1.0),
}


@pytest.mark.parametrize("name", OVERWRITING)
def test_in_place_arithmetic_is_seen_under_every_name(name):
    model, x = Written(overwriting(OVERWRITING[name]), **seeded(lambda: nn.ModuleDict(layers()))), images(2, 3, 8, 8)
    relevance, logits = LRP(model, Epsilon(0.0)).explain(x, 0)
    torch.testing.assert_close(logits, evaluated(model, x))
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(relevance, x * torch.autograd.grad(model.eval()(leaf)[:, 0].sum(), leaf)[0])


def test_dropout_and_stochastic_depth_are_the_identity(net):
    modules = seeded(lambda: nn.ModuleDict(layers()))
    without = Written(lambda net, x: net.fc((net.mix(net.conv(x)) + net.conv(x)).flatten(1)), **modules)
    dropped = Written(
        lambda net, x: net.fc(
            net.drop(net.deep(net.mix(net.conv(x))) + F.dropout(net.conv(x), 0.5, net.training)).flatten(1)
        ),
        **modules,
    )
    assert_same(dropped.train(), without, images(2, 3, 8, 8))


def test_a_module_used_twice_is_two_layers():
    """A shared convolution, ReLU and batch norm against copies under names of their own."""
    modules = seeded(lambda: nn.ModuleDict({**layers(), "norm": nn.BatchNorm2d(6)}))
    twice = Written(
        lambda net, x: net.fc(net.relu(net.norm(net.mix(net.relu(net.norm(net.mix(net.conv(x))))))).flatten(1)),
        **modules,
    )
    copies = {f"{name}{i}": copy.deepcopy(modules[name]) for name in ("mix", "relu", "norm") for i in (1, 2)}
    apart = Written(
        lambda net, x: net.fc(net.relu2(net.norm2(net.mix2(net.relu1(net.norm1(net.mix1(net.conv(x))))))).flatten(1)),
        **{**modules, **copies},
    )
    aliased = Written(twice.written, **modules)
    aliased.mix_again = aliased.mix
    assert_same(twice, apart, images(2, 3, 8, 8))
    assert_same(aliased, apart, images(2, 3, 8, 8))


def test_constants_keep_their_share():
    """x·s + c: the constant c is a bias, the factor s part of the weights."""
    modules = seeded(lambda: nn.ModuleDict(layers()))
    model = Written(lambda net, x: net.fc((net.conv(x) * net.scale + 0.5 + net.shift).flatten(1)), **modules)
    model.register_buffer("scale", images(6, 1, 1, seed=4))
    model.shift = nn.Parameter(images(6, 1, 1, seed=5))
    folded = nn.Sequential(copy.deepcopy(modules["conv"]), nn.Flatten(), modules["fc"])
    folded[0].weight.data *= model.scale[:, None]
    folded[0].bias.data = folded[0].bias.data * model.scale.flatten() + 0.5 + model.shift.data.flatten()
    expected, result = (LRP(m, Epsilon(0.0)).explain(images(2, 3, 8, 8), 0) for m in (folded, model))
    torch.testing.assert_close(result, expected)


WEIGHT_HOOKS = {
    "weight_norm": nn.utils.weight_norm,
    "spectral_norm": nn.utils.spectral_norm,
    "prune": lambda layer: prune.random_unstructured(layer, "weight", 0.5),
}


@pytest.mark.parametrize("name", WEIGHT_HOOKS)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weights_that_hooks_compute_are_fresh(name):
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    WEIGHT_HOOKS[name](model[0])
    explainer, x = LRP(model.eval(), "epsilon"), images(2, 5)
    for parameter in model.parameters():
        parameter.data.mul_(1.5)
    computed = model[0].weight
    logits = explainer.explain(x, 0).logits
    assert model[0].weight is computed
    torch.testing.assert_close(logits, model(x).detach())


class WithOptions(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x, features_only=False, mask=None):
        if features_only:
            return x
        return self.fc(x if mask is None else x * mask)


def test_arguments_with_defaults_are_at_their_defaults():
    model, inputs = WithOptions(), torch.rand(2, 3)
    expected = LRP(nn.Sequential(model.fc), "epsilon").attribute(inputs, 1)
    assert torch.equal(LRP(model, "epsilon").attribute(inputs, 1), expected)
