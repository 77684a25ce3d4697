"""Law 1: the live model is never written, whatever its mode; nothing else of the process is either."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from live_state import state
from lrp_networks import Net, Written, functional, images, seeded
from torch import nn
from torch.nn.utils import prune
from torchvision import models

from unhans.lrp import LRP

FLOAT = torch.float32


def mixed_modes():
    """Frozen batch norms in evaluation mode inside a model in training mode, a frozen layer."""
    net = seeded(Net, dtype=FLOAT)
    net.bn1.eval()
    net.conv1.requires_grad_(False)
    return net


def pruned():
    net = seeded(Net, dtype=FLOAT)
    prune.random_unstructured(net.conv1, "weight", 0.5)
    return net


MODELS = {
    "train": lambda: seeded(Net, dtype=FLOAT),
    "eval": lambda: seeded(Net, dtype=FLOAT).eval(),
    "mixed": mixed_modes,
    "frozen": lambda: seeded(Net, dtype=FLOAT).requires_grad_(False),
    "functional": lambda: Written(functional, **dict(seeded(Net, dtype=FLOAT).named_children())),
    "constant": lambda: Written(lambda net, x: net.fc(x.mean((2, 3)) + torch.ones(3)), fc=nn.Linear(3, 4)),
    "densenet": lambda: seeded(lambda: models.DenseNet(4, (2, 2), 8, num_classes=4), dtype=FLOAT),
    "pruned": pruned,
}


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1"])
@pytest.mark.parametrize("name", MODELS)
def test_the_live_model_is_not_written(name, composite):
    model, x = MODELS[name](), images(2, 3, 8, 8, dtype=FLOAT)
    copies = {key: value.clone() for key, value in model.state_dict().items()}
    before, kept = state(model), x.clone()
    LRP(model, composite).attribute(x, 1)
    assert state(model) == before
    assert torch.equal(x, kept)
    for key, value in model.state_dict().items():
        assert torch.equal(value, copies[key]), key


OVERWRITING = {
    "module": lambda net, x: net.fc(net.relu(x)),
    "function": lambda net, x: net.fc(F.relu(x, inplace=True)),
    "method": lambda net, x: net.fc(x.relu_()),
    "statement": lambda net, x: net.fc((x.mul_(2), x)[1]),
}


@pytest.mark.parametrize("form", OVERWRITING)
def test_images_that_the_model_overwrites_are_kept(form):
    model, x = Written(OVERWRITING[form], fc=nn.Linear(4, 3), relu=nn.ReLU(inplace=True)), images(2, 4, dtype=FLOAT)
    kept, explained = x.clone(), LRP(model, "epsilon").explain(x, 1)
    assert torch.equal(x, kept)
    torch.testing.assert_close(explained.logits, model(x).detach())


def test_gradients_of_an_unfinished_step_are_kept():
    model, x = seeded(Net, dtype=FLOAT), images(2, 3, 8, 8, dtype=FLOAT)
    model(x).sum().backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    leaf = x.clone().requires_grad_()
    relevance = LRP(model).attribute(leaf, 0)
    assert not relevance.requires_grad
    assert leaf.grad is None
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))


def test_an_optimizer_made_before_trains_every_parameter_after():
    """One pass of zennit on ResNet-18 replaces 22 of 62 parameters; an optimizer then trains the old ones."""
    model, x = seeded(Net, dtype=FLOAT).train(), images(4, 3, 8, 8, dtype=FLOAT)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    LRP(model).attribute(x, 1)
    model(x).square().sum().backward()
    optimizer.step()
    unchanged = [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
    assert unchanged == []


def test_hooks_of_the_user_are_neither_called_nor_lost():
    model, calls = seeded(Net, dtype=FLOAT), []
    for module in model.modules():
        module.register_forward_hook(lambda *_: calls.append("forward"))
        module.register_forward_hook(lambda *_, **__: calls.append("kwargs"), with_kwargs=True, always_call=True)
        module.register_forward_pre_hook(lambda *_: calls.append("pre"))
    model.fc.register_full_backward_hook(lambda *_: calls.append("backward"))
    LRP(model).attribute(images(2, 3, 8, 8, dtype=FLOAT), 1)
    assert calls == []
    model.eval()(images(2, 3, 8, 8, dtype=FLOAT)).sum().backward()
    assert set(calls) == {"forward", "kwargs", "pre", "backward"}


def test_random_states_and_modes_are_untouched():
    model, x = seeded(Net, dtype=FLOAT), images(2, 3, 8, 8, dtype=FLOAT)
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())  # noqa: NPY002
    LRP(model).attribute(x, 1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_a_model_in_training_updates_no_statistics():
    model = seeded(Net, dtype=FLOAT).train()
    LRP(model).attribute(images(4, 3, 8, 8, dtype=FLOAT) + 3, 1)
    assert model.bn1.num_batches_tracked == 0


def test_threads_do_not_disturb_each_other():
    model, x = seeded(Net, dtype=FLOAT), images(2, 3, 8, 8, dtype=FLOAT)
    explainer = LRP(model)
    expected = explainer.attribute(x, 1)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: (explainer.attribute(x, 1), LRP(model).attribute(x, 1)), range(30)))
    assert all(torch.equal(found, expected) for pair in results for found in pair)
