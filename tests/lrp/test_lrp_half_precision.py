"""LRP in bfloat16 against float32: products in half precision, quotients and relevance in float32."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import ARCHITECTURES, images, seeded
from test_lrp_architectures import SMALL, prepared

from unhans.lrp import LRP

NETWORKS = {
    "resnet18": lambda: seeded(ARCHITECTURES["resnet18"], dtype=torch.float32).eval(),
    "squeezenet1_1": lambda: seeded(ARCHITECTURES["squeezenet1_1"], dtype=torch.float32).eval(),
    "densenet121": lambda: seeded(ARCHITECTURES["densenet121"], dtype=torch.float32).eval(),
}


def distance(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1_flat"])
@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_is_near_float32(name, composite):
    model, x = NETWORKS[name](), images(2, 3, 64, 64, dtype=torch.float32)
    exact, half = (LRP(model, composite, dtype=dtype).explain(x, 3) for dtype in (None, torch.bfloat16))
    assert half.logits.dtype == torch.bfloat16
    assert half.relevance.dtype == torch.float32
    assert next(model.parameters()).dtype == torch.float32
    # relevance is proportional to the logit, whose own error is the model's
    ours, theirs = (found.relevance / found.logits[:, 3].float()[:, None, None, None] for found in (half, exact))
    assert distance(ours, theirs) < 0.05


@pytest.mark.parametrize("name", ["vit", "swin", "convnext_tiny"])
def test_bfloat16_runs_through_every_operation(name):
    build, size = SMALL[name]
    x = images(2, 3, size, size)
    model = prepared(build(), x).float()
    relevance = LRP(model, dtype=torch.bfloat16).attribute(x.float(), 3)
    assert relevance.isfinite().all()
    assert relevance.dtype == torch.float32
