"""torchvision's classifiers: their own logits, and relevance that sums to them where biases are zero."""

from __future__ import annotations

import copy

import pytest
import torch
from lrp_networks import images
from torch import nn
from torchvision import models

from unhans.lrp import LRP, Epsilon
from unhans.lrp.composites import OPERATIONS

EXACT = [(operation, Epsilon(0.0)) for operation in OPERATIONS]  # conserves but for rounding
UNTRAINED = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}  # their own takes minutes


def vit():
    return models.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=7)


def maxvit():
    return models.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 8, 0.0, num_classes=7)


def swin(block, merging):
    return lambda: models.SwinTransformer(
        [2, 2], 8, [2, 2], [2, 2], [4, 4], num_classes=7, block=block, downsample_layer=merging
    )


SMALL = {
    "vit": (vit, 32),
    "maxvit": (maxvit, 32),
    "swin": (
        swin(models.swin_transformer.SwinTransformerBlock, models.swin_transformer.PatchMerging),
        36,  # is padded to windows and shifted
    ),
    "swin_v2": (swin(models.swin_transformer.SwinTransformerBlockV2, models.swin_transformer.PatchMergingV2), 36),
    **{
        name: (lambda name=name: models.get_model(name, num_classes=7), 64)
        for name in ("convnext_tiny", "efficientnet_b0", "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5",
                     "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1")
    },
    "googlenet": (lambda: models.get_model("googlenet", num_classes=7, **UNTRAINED["googlenet"]), 64),
}  # fmt: skip


@torch.no_grad()
def prepared(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """Return the model with batch norms that fit x and every bias, and what acts as one, at zero."""
    generator = torch.Generator().manual_seed(0)
    model = model.to(x.dtype)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "class_token" in name or "pos_embedding" in name:
            parameter.zero_()
        elif parameter.dim() == 1 or "layer_scale" in name:
            parameter.uniform_(0.5, 1, generator=generator)
        else:
            parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
    hooks = [m.register_forward_pre_hook(scale_only) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    model.eval()(x)
    for hook in hooks:
        hook.remove()
    return model


def scale_only(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor]) -> None:
    """Give a batch norm statistics of its input with which it scales to unit squares and does not shift."""
    norm.running_mean.copy_(inputs[0].mean((0, 2, 3)))
    norm.running_var.copy_(inputs[0].square().mean((0, 2, 3)))
    norm.bias.copy_(norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt())


def check(model, x):
    with torch.no_grad():
        expected = model(x)
    relevance, logits = LRP(model, EXACT).explain(x, 3)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(
        relevance.flatten(1).sum(1), logits[:, 3], rtol=1e-9, atol=1e-9 * float(logits.abs().max())
    )
    report = LRP(model, EXACT).conservation(x, 3)
    assert report.deviation < 1e-9
    narrow = LRP(copy.deepcopy(model).float(), EXACT).conservation(x.float(), 3)
    assert narrow.deviation < 1e-3
    assert LRP(model.float()).attribute(x.float(), 3).isfinite().all()


@pytest.mark.parametrize("name", SMALL)
def test_relevance_sums_to_the_logit(name):
    build, size = SMALL[name]
    x = images(3, 3, size, size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build()
    check(prepared(model, x), x[:2])


@pytest.mark.slow
@pytest.mark.parametrize("name", models.list_models(module=models))
def test_every_classifier_of_torchvision(name):
    size = 299 if name == "inception_v3" else 224
    x = images(2, 3, size, size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = models.get_model(name, weights=None, **UNTRAINED.get(name, {}))
    check(prepared(model, x), x[:1])
