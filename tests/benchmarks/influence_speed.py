"""Influence by gradients against Captum's TracInCP at the same scores, in one run; dattri where it is installed.

    uv run python tests/benchmarks/influence_speed.py

Dot products of per-sample gradients of the last layers, queries × training images, with weights of a fixed seed.
TracInCP gets one checkpoint, rate 1, the same layers and batches, and is tried in both of its ways. The figure is the
median over rounds of the ratio within a round: what slows the machine slows both alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchvision import models

from unhans.influence import GradientCosine, last_stages

GOAL = 10.0  # times faster than TracInCP
CLASSES = 10


def network(name: str) -> nn.Module:
    """Return the architecture with weights of a fixed seed, its batch norms with statistics of random images."""
    torch.manual_seed(0)
    model = models.get_model(name, weights=None, num_classes=CLASSES)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(8, 3, 112, 112))
    return model.eval()


def ours(model: nn.Module, layers: Sequence[str], queries: TensorDataset, training: TensorDataset, size: int) -> Tensor:
    """Return the scores (queries, training images)."""

    def batches() -> list[tuple[Tensor, ...]]:
        return list(zip(*(tensor.split(size) for tensor in training.tensors), strict=True))

    return GradientCosine(layers, normalise=False).scores(model, [queries.tensors], batches)


def captums(
    model: nn.Module,
    layers: Sequence[str],
    queries: TensorDataset,
    training: TensorDataset,
    size: int,
    vectorised: bool,
) -> Tensor:
    """Return the scores by TracInCP; vectorised: its own gradients of linear layers and convolutions."""
    from captum.influence import TracInCP

    loss = nn.CrossEntropyLoss(reduction="sum" if vectorised else "none")
    tracin = TracInCP(
        model, training, ["as it is"], lambda model, checkpoint: 1.0, list(layers), loss, size,
        sample_wise_grads_per_batch=vectorised,
    )  # fmt: skip
    return tracin.influence(queries.tensors).detach()


def dattris(
    model: nn.Module, layers: Sequence[str], queries: TensorDataset, training: TensorDataset, size: int
) -> Tensor:
    """Return the scores by dattri's TracIn."""
    from dattri.algorithm.tracin import TracInAttributor
    from dattri.task import AttributionTask
    from torch.func import functional_call
    from torch.utils.data import DataLoader

    def loss(parameters: dict[str, Tensor], sample: tuple[Tensor, Tensor]) -> Tensor:
        logits = functional_call(model, parameters, sample[0][None])
        return nn.functional.cross_entropy(logits, sample[1][None])

    task = AttributionTask(loss, model, [model.state_dict()])
    names = [name for name, _ in model.named_parameters() if name.startswith(tuple(f"{layer}." for layer in layers))]
    tracin = TracInAttributor(task, torch.ones(1), normalized_grad=False, layer_name=names)
    loaders = (DataLoader(part, batch_size=size) for part in (training, queries))
    return tracin.attribute(*loaders).T.detach()


def timed(work: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """Return how long a call takes, and what it returns."""
    began = time.perf_counter()
    found = work()
    return time.perf_counter() - began, found


def rivals_of(*arguments: object) -> dict[str, Callable[[], Tensor]]:
    """Return what is compared with ours, by name, where it is installed and can do it."""
    found: dict[str, Callable[[], Tensor]] = {
        "Captum": lambda: captums(*arguments, vectorised=False),
        "Captum, vectorised": lambda: captums(*arguments, vectorised=True),
    }
    if importlib.util.find_spec("dattri"):
        found["dattri"] = lambda: dattris(*arguments)
    return found


def compare(name: str, queries: int, training: int, side: int, size: int, repeats: int) -> None:
    """Print a row of the table for each rival."""
    model = network(name)
    layers = last_stages(model, 2e9)
    generator = torch.Generator().manual_seed(0)
    parts = [
        TensorDataset(torch.randn(n, 3, side, side, generator=generator), torch.arange(n) % CLASSES)
        for n in (queries, training)
    ]
    arguments = model, layers, *parts, size
    for rival, work in rivals_of(*arguments).items():
        try:
            times = [(timed(lambda: ours(*arguments)), timed(work)) for _ in range(repeats)]
        except Exception as error:
            print(f"| {name}, {' '.join(layers)} | {rival} | cannot: {type(error).__name__} | | | |")
            continue
        ratio = statistics.median(second[0] / first[0] for first, second in times)
        (first, scores), (second, theirs) = times[-1]
        off = float((scores - theirs).abs().max() / theirs.abs().max())
        print(
            f"| {name}, {' '.join(layers)} | {rival} | {first:.2f} | {second:.2f} | {ratio:.1f} (≥ {GOAL:g}) "
            f"| {off:.0e} |",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="*", default=["resnet18", "squeezenet1_1"])
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--training", type=int, default=32)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print("| network, layers | rival | ours, s | rival, s | × faster (goal) | largest difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in options.models:
        compare(name, options.queries, options.training, options.side, options.batch, options.repeats)


if __name__ == "__main__":
    main()
