"""LRP against one forward and backward pass of the same model, and against zennit, in one run.

    uv run --extra peers python tests/benchmarks/lrp_speed.py

Each figure is the median over rounds of the ratio within a round: what slows the machine slows all rivals alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision import models

from unhans.lrp import COMPOSITES, LRP

WORKS = [
    ("vgg16", "epsilon_plus_flat", 8),
    ("vgg16", "epsilon_alpha2_beta1_flat", 8),
    ("resnet18", "epsilon_plus_flat", 8),
    ("squeezenet1_1", "epsilon_plus_flat", 8),
]
GOALS = {  # times of forward + backward, times faster than zennit
    ("vgg16", "epsilon_plus_flat"): (1.6, 3.0),
    ("vgg16", "epsilon_alpha2_beta1_flat"): (2.2, 3.0),
    ("resnet18", "epsilon_plus_flat"): (1.8, 1.7),
    ("squeezenet1_1", "epsilon_plus_flat"): (1.8, 1.7),
}


@dataclass
class Measured:
    """Our time over that of one forward and backward pass, zennit's over ours, and how far the two maps are apart."""

    passes: float
    faster: float | None = None
    distance: float | None = None


def network(name: str, calibrate: bool = True) -> nn.Module:
    """Return the architecture with weights of a fixed seed, its batch norms with statistics of random images."""
    torch.manual_seed(0)
    model = models.get_model(name, weights=None).eval()
    if not calibrate:
        return model
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(4, 3, 224, 224))
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = 0.0  # zennit's canonizer leaves one more ε behind
    return model.eval()


def forward_backward(model: nn.Module, x: Tensor) -> Tensor:
    """Return the gradient of a logit to the input."""
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)[0]


def zennits(model: nn.Module, composite: str) -> Callable[[Tensor], Tensor]:
    """Return zennit's explanation with its own canonizer."""
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import EpsilonAlpha2Beta1Flat, EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer, VGGCanonizer

    kind = {"epsilon_plus_flat": EpsilonPlusFlat, "epsilon_alpha2_beta1_flat": EpsilonAlpha2Beta1Flat}[composite]
    name = type(model).__name__
    canonizer = {"ResNet": ResNetCanonizer, "VGG": VGGCanonizer}.get(name, SequentialMergeBatchNorm)()

    def explain(x: Tensor) -> Tensor:
        leaf = x.clone().requires_grad_()
        composed = kind(epsilon=1e-2 if "alpha" in composite else 1e-6, canonizers=[canonizer])
        with Gradient(model=model, composite=composed) as attributor:
            return attributor(leaf, lambda y: y * torch.eye(y.shape[1])[[0]])[1]

    return explain


def seconds(work: Callable[[], Tensor]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measured(name: str, composite: str, batch: int, repeats: int, peer: bool) -> Measured:
    """Measure one work, the rivals taking turns."""
    model = network(name).requires_grad_(False)
    x = torch.rand(batch, 3, 224, 224)
    lrp = LRP(model, COMPOSITES[composite](head="by_operation"))  # as zennit has it
    rivals: list[Callable[[], Tensor]] = [lambda: forward_backward(model, x), lambda: lrp.attribute(x, 0)]
    if peer:
        explain = zennits(model, composite)
        rivals.append(lambda: explain(x))
    for rival in rivals:
        rival()
    times = [[seconds(rival) for rival in rivals] for _ in range(repeats)]
    passes = statistics.median(row[1] / row[0] for row in times)
    if not peer:
        return Measured(passes)
    ours, theirs = lrp.attribute(x, 0), explain(x)
    faster = statistics.median(row[2] / row[1] for row in times)
    return Measured(passes, faster, float((ours - theirs).norm() / theirs.norm()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    print("| work | batch | × forward + backward (goal) | × faster than zennit (goal) | relative ℓ2 to zennit |")
    print("| --- | --- | --- | --- | --- |")
    for name, composite, batch in WORKS:
        if options.only in f"{name} {composite}":
            found = measured(name, composite, batch, options.repeats, not options.no_peer)
            goal = GOALS[name, composite]
            faster = f"{found.faster:.2f} (≥ {goal[1]})" if found.faster else "–"
            distance = f"{found.distance:.1e}" if found.distance else "–"
            print(
                f"| {name}, `{composite}` | {batch} | {found.passes:.2f} (≤ {goal[0]}) | {faster} | {distance} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
