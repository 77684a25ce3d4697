"""Equal to zennit 0.5 where it has a canonizer and the definitions agree.

Where they differ:
- αβ with an empty z⁻ (sparse inputs of a 1×1 convolution): ours gives the whole R_j to z⁺, zennit passes α R_j on.
  A negative bias keeps z⁻ from being empty.
- winners of a max pooling that tie: ours share, zennit's first one takes all (7 % on a photograph with flat areas).
- a head that is a convolution: ours has ε as a dense one, zennit the rule of convolutions (`head="by_operation"`).
- z⁺ at outputs without positive contributions: ours keeps their relevance, zennit drops it (`convolution="z_plus"`).
- a merged batch norm: zennit leaves its ε behind, so that it still divides by √(1 + ε).
"""

from __future__ import annotations

import copy

import pytest
import torch
from lrp_networks import ARCHITECTURES, images, seeded
from PIL import Image
from torch import nn
from torchvision import models
from torchvision.transforms import v2

from unhans.lrp import LRP, composite_by_name

pytest.importorskip("zennit", reason="zennit is an optional peer")

from zennit.attribution import Gradient
from zennit.composites import EpsilonAlpha2Beta1Flat, EpsilonGammaBox, EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer, VGGCanonizer

CANONIZERS = {
    "vgg11_bn": [VGGCanonizer],
    "resnet18": [ResNetCanonizer],
    "resnet50": [ResNetCanonizer],
    "squeezenet1_1": [],
}
COMPOSITES = {
    "epsilon_plus_flat": (EpsilonPlusFlat, {"head": "by_operation", "convolution": "z_plus"}),
    "epsilon_alpha2_beta1_flat": (EpsilonAlpha2Beta1Flat, {"epsilon": 1e-6, "head": "by_operation"}),
}


def zennit_relevance(model, composite, canonizers, x, target):
    """Return zennit's relevance on a copy: it writes to the model."""
    model = copy.deepcopy(model).eval()
    rules = composite(canonizers=[canonizer() for canonizer in canonizers])
    with Gradient(model, rules) as attributor:
        return attributor(x, lambda logits: logits * nn.functional.one_hot(target, logits.shape[1]))[1]


@torch.no_grad()
def comparable(model):
    """Return the model with negative biases where no batch norm sets them, and no ε in its batch norms."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-12
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.fill_(-0.03)
    return model


def distance(ours, theirs):
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("name", CANONIZERS)
def test_equal_to_zennit(name):
    model, x, target = comparable(seeded(ARCHITECTURES[name])), images(2, 3, 40, 40), torch.tensor([3, 7])
    for composite, (theirs, parameters) in COMPOSITES.items():
        ours = LRP(model, composite_by_name(composite, **parameters)).attribute(x, target)
        assert distance(ours, zennit_relevance(model, theirs, CANONIZERS[name], x, target)) < 1e-4, composite


def test_gamma_and_box_equal_zennit():
    """zennit's γ is the generalised one too, on signed inputs and outputs."""
    build = lambda: nn.Sequential(  # noqa: E731
        nn.Conv2d(3, 6, 3), nn.LeakyReLU(), nn.Conv2d(6, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 10)
    )
    model, x, target = seeded(build), images(2, 3, 9, 9).tanh(), torch.tensor([3, 7])
    ours = LRP(model, composite_by_name("epsilon_gamma_box", low=-1.0, high=1.0)).attribute(x, target)
    theirs = zennit_relevance(model, lambda **kwargs: EpsilonGammaBox(low=-1.0, high=1.0, **kwargs), [], x, target)
    assert distance(ours, theirs) < 1e-4


def test_an_empty_negative_sum_is_where_they_differ():
    model = nn.Sequential(nn.Conv2d(1, 1, 2), nn.Conv2d(1, 1, 2, bias=False), nn.Flatten())
    for layer in model[:2]:
        nn.init.ones_(layer.weight)
    x = torch.ones(1, 1, 3, 3)
    ours = LRP(model, composite_by_name("epsilon_alpha2_beta1_flat", head="by_operation")).explain(x)
    theirs = zennit_relevance(model, EpsilonAlpha2Beta1Flat, [], x, torch.tensor([0]))
    torch.testing.assert_close(ours.relevance.sum(), ours.logits.sum())
    torch.testing.assert_close(theirs.sum(), 2 * ours.logits.sum())


def test_photographs_through_trained_weights_equal_zennit(real_data):
    """SqueezeNet 1.1 as ImageNet trained it, on two photographs."""
    weights = real_data / "weights" / "squeezenet1_1_ncnn.pth"
    files = sorted((real_data / "imagenette224" / "val").glob("*/*"))
    if not weights.is_file() or not files:
        pytest.skip(f"no SqueezeNet weights or photographs in {real_data}")
    model = models.squeezenet1_1()
    model.load_state_dict(torch.load(weights, weights_only=True))
    x = torch.stack([photograph(file) for file in (files[0], files[-1])])
    x += 1e-3 * images(*x.shape, dtype=torch.float32)  # no ties
    target = model.eval()(x).argmax(1)
    _, parameters = COMPOSITES["epsilon_plus_flat"]
    ours = LRP(model, composite_by_name("epsilon_plus_flat", **parameters)).attribute(x, target)
    assert distance(ours, zennit_relevance(model, EpsilonPlusFlat, [], x, target)) < 1e-4


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18", "resnet50"])
def test_what_the_default_adds_changes_nothing_where_heads_are_dense_and_relus_follow(name):
    model, x = comparable(seeded(ARCHITECTURES[name])), images(2, 3, 40, 40)
    _, parameters = COMPOSITES["epsilon_plus_flat"]
    theirs = LRP(model, composite_by_name("epsilon_plus_flat", **parameters)).attribute(x, 3)
    torch.testing.assert_close(LRP(model).attribute(x, 3), theirs)


def photograph(file):
    normalize = v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return normalize(v2.functional.to_dtype(v2.functional.to_image(Image.open(file).convert("RGB")), scale=True))
