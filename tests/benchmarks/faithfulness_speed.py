"""Region perturbation and pixel flipping against Quantus, at equal definitions: same curves, and how much faster.

Black takes the place of pixels and the score is the logit. Quantus places its regions at every offset, so region
perturbation is compared on heatmaps that are constant on the cells of the grid: there both take the same regions. It
flips the channels of a pixel one by one, so that pixel flipping is compared on grey images.

    uv run --extra rivals python tests/benchmarks/faithfulness_speed.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision import models

from unhans.faithfulness import PixelRange, RegionPerturbation
from unhans.models import SmallCNN

GOAL = 5.0


def network(name: str, channels: int) -> nn.Module:
    """Return a random network of ten classes for images of so many channels."""
    torch.manual_seed(0)
    model = SmallCNN(10) if name == "small_cnn" else models.get_model(name, num_classes=10)
    path, first = next((path, each) for path, each in model.named_modules() if isinstance(each, nn.Conv2d))
    if channels != first.in_channels:
        sizes = first.kernel_size, first.stride, first.padding
        new = nn.Conv2d(channels, first.out_channels, *sizes, bias=first.bias is not None)
        model.set_submodule(path, new)
    return model.eval()


def heatmaps(n: int, side: int, region: int) -> NDArray[np.float64]:
    """Return heatmaps (n, side, side) that are constant on every region, no two of them equal."""
    cells = side // region
    drawn = np.random.default_rng(0).permuted(np.tile(np.arange(1.0, cells**2 + 1), (n, 1)), axis=1)
    return drawn.reshape(n, cells, cells).repeat(region, 1).repeat(region, 2)


def unit(images: Tensor) -> PixelRange:
    """Return the range [0, 1]."""
    return PixelRange(torch.zeros(images.shape[1]), torch.ones(images.shape[1]))


def ours(
    model: nn.Module, images: Tensor, maps: NDArray, targets: Tensor, region: int, per_step: int, steps: int
) -> NDArray:
    """Return f(x⁰) − f(x^k) for k = 1 … steps (n, steps)."""
    settings = RegionPerturbation(region, steps, per_step, "constant", repeats=1)
    return settings.curves(model, images, targets, settings.orders(maps, images, "morf"), unit(images)).drops[:, 1:]


def quantus_regions(
    model: nn.Module, images: Tensor, maps: NDArray, targets: Tensor, region: int, per_step: int, steps: int
) -> NDArray:
    """Return the same by Quantus."""
    from quantus import RegionPerturbation as Rival

    rival = Rival(
        patch_size=region, regions_evaluation=steps, perturb_baseline="black", normalise=False, disable_warnings=True
    )
    found = rival(model, images.numpy(), targets.numpy(), maps[:, None], softmax=False, device="cpu")
    return np.array(list(found.values()) if isinstance(found, dict) else found)


def quantus_pixels(
    model: nn.Module, images: Tensor, maps: NDArray, targets: Tensor, region: int, per_step: int, steps: int
) -> NDArray:
    """Return the same by Quantus, pixel by pixel; it goes on until no pixel is left."""
    from quantus import PixelFlipping as Rival

    rival = Rival(features_in_step=per_step, perturb_baseline="black", normalise=False, disable_warnings=True)
    scores = np.array(rival(model, images.numpy(), targets.numpy(), maps[:, None], softmax=False, device="cpu"))
    with torch.no_grad():
        before = model(images).gather(1, targets[:, None]).numpy()
    return before - scores


def timed(work: Callable[[], NDArray]) -> tuple[float, NDArray]:
    """Return the seconds of the processor that a call takes, whatever else the machine does, and what it returns."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def compare(name: str, model: nn.Module, what: str, rival: Callable[..., NDArray], given: tuple, repeats: int) -> None:
    """Print a row of the table."""
    runs = [(timed(lambda: ours(model, *given)), timed(lambda: rival(model, *given))) for _ in range(repeats)]
    ratio = statistics.median(theirs[0] / mine[0] for mine, theirs in runs)
    (mine, curves), (theirs, others) = runs[-1]
    off = np.abs(curves - others).max()
    print(f"| {name}, {what} | {mine:.2f} | {theirs:.2f} | {ratio:.1f} (≥ {GOAL:g}) | {off:.0e} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="*", default=["small_cnn", "resnet18", "squeezenet1_1"])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--region", type=int, default=4)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    steps, per_step = options.steps, options.side**2 // options.steps
    targets = torch.arange(options.images) % 10
    print("| network, work | ours, s | Quantus, s | × faster (goal) | largest difference |")
    print("| --- | --- | --- | --- | --- |")
    for name in options.models:
        for channels, region, per, rival in ((3, options.region, 1, quantus_regions), (1, 1, per_step, quantus_pixels)):
            generator = torch.Generator().manual_seed(0)
            images = torch.rand(options.images, channels, options.side, options.side, generator=generator)
            given = images, heatmaps(options.images, options.side, region), targets, region, per, steps
            what = (
                f"{steps} steps of {per} pixels, grey"
                if region == 1
                else f"{steps} regions of {region} × {region}, RGB"
            )
            compare(f"{name} at {options.side}", network(name, channels), what, rival, given, options.repeats)


if __name__ == "__main__":
    main()
