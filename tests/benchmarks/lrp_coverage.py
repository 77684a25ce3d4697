"""LRP on every classifier of torchvision: how well relevance is conserved, and how long it takes.

    uv run python tests/benchmarks/lrp_coverage.py [--float32] [name …]

Biases, class tokens and position embeddings are zero, weights random, batch norms have the statistics of the images.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from unhans.lrp import LRP

sys.path.append(str(Path(__file__).parents[1] / "lrp"))
from test_lrp_architectures import EXACT, UNTRAINED, prepared


def built(name: str, dtype: torch.dtype) -> tuple[nn.Module, Tensor]:
    """Return the architecture without biases, and an image of its size."""
    size = 299 if name == "inception_v3" else 224
    torch.manual_seed(0)
    x = torch.randn(2, 3, size, size, dtype=dtype)
    return prepared(models.get_model(name, weights=None, **UNTRAINED.get(name, {})), x), x[:1]


def seconds(model: nn.Module, x: Tensor) -> tuple[float, float]:
    """Return the time of an explanation, and that over one forward and backward pass."""
    lrp, times = LRP(model), []
    for _ in range(3):
        began = time.perf_counter()
        lrp.attribute(x, 5)
        between = time.perf_counter()
        leaf = x.clone().requires_grad_()
        torch.autograd.grad(model(leaf)[:, 5].sum(), leaf)
        times.append((between - began, time.perf_counter() - between))
    ours, plain = min(t for t, _ in times), min(t for _, t in times)
    return ours, ours / plain


def row(name: str, narrow_only: bool) -> str:
    """Measure one architecture."""
    model, x = built(name, torch.float32 if narrow_only else torch.float64)
    exact = "–" if narrow_only else f"{LRP(model, EXACT).conservation(x, 5).deviation:.0e}"
    model, x = model.float().requires_grad_(False), x.float()
    narrow = LRP(model, EXACT).conservation(x, 5).deviation
    default = LRP(model).conservation(x, 5)
    assert LRP(model).attribute(x, 5).isfinite().all()
    time_, ratio = seconds(model, x)
    return f"| {name} | {exact} | {narrow:.0e} | {default.deviation:.1%} | {time_:.2f} | {ratio:.1f} |"


def main() -> None:
    """Print the table, small models first."""
    narrow_only = "--float32" in sys.argv
    given = [name for name in sys.argv[1:] if name != "--float32"]
    names = given or sorted(models.list_models(module=models), key=lambda name: size_of(name))
    print("| model | rule 0, float64 | rule 0, float32 | `epsilon_plus_flat` | s per image | × forward + backward |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in names:
        print(row(name, narrow_only), flush=True)


def size_of(name: str) -> float:
    """Return the GFLOPs of a model's published weights."""
    weights = next(iter(models.get_model_weights(name)))
    return weights.meta["_ops"]


if __name__ == "__main__":
    main()
