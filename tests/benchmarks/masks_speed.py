"""Extremal masks of many images against one image at a time: processor time, and the objective that is reached.

    uv run python tests/benchmarks/masks_speed.py --data FOLDER

FOLDER holds imagenette224/val/*/*.jpg and weights/squeezenet1_1*.pth. One image at a time means 300 steps from uniform
masks with one image in a batch. The objective is f(x ⊗ m) − λ mean((sort(m) − r)²) with the λ of the last step, and the
logit is that under the same share of the pixels of every mask, cut to 0 and 1. Differences are paired over images.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms.v2 import functional as transforms

from unhans.attribution import ExtremalPerturbation
from unhans.attribution.masks import Blurring
from unhans.attribution.masks.extremal_perturbation import AREA_WEIGHT, GROWTH, ITERATIONS, area_penalty

GOAL = 3.0  # times faster than one image at a time
AREA = 0.05
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SETTINGS = ("uniform 300", "relevance 300", "uniform 100", "relevance 100", "relevance 50")


def network(data: Path) -> nn.Module:
    """Return SqueezeNet with ImageNet weights."""
    model = models.squeezenet1_1()
    (file,) = (data / "weights").glob("squeezenet1_1*.pth")
    model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return model.eval()


def images_of(data: Path, n: int, side: int) -> Tensor:
    """Return n images (n, 3, side, side) of different classes, normalised."""
    files = sorted((data / "imagenette224" / "val").glob("*/*"))
    read = [Image.open(file).convert("RGB").resize((side, side)) for file in files[:: len(files) // n][:n]]
    return transforms.normalize(torch.stack([transforms.pil_to_tensor(each) for each in read]) / 255, MEAN, STD)


def reached(model: nn.Module, images: Tensor, classes: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the objective and the logit under the largest pixels alone, (n,) each."""
    blurring, order = Blurring(images, 20 * images.shape[-1] / 224), masks.flatten(1).sort(dim=1, stable=True).indices
    cut = torch.zeros_like(order, dtype=masks.dtype)
    cut.scatter_(1, order[:, -round(AREA * order.shape[1]) :], 1.0)
    with torch.no_grad():
        soft, hard = (model(blurring(each)).gather(1, classes[:, None])[:, 0] for each in (masks, cut.view_as(masks)))
    return soft - AREA_WEIGHT * GROWTH**ITERATIONS * area_penalty(masks, AREA), hard


def difference(found: Tensor, first: Tensor) -> str:
    """Return the mean difference with twice its standard error."""
    apart = found - first
    return f"{apart.mean():+.2f} ± {2 * apart.std() / len(apart) ** 0.5:.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--settings", nargs="*", default=SETTINGS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, images = network(options.data), images_of(options.data, options.images, options.side)
    with torch.no_grad():
        classes = model(images).argmax(1)
    first: tuple[Tensor, Tensor] | None = None
    before = 0.0
    print("| start, steps | batch | s an image | × faster (goal) | objective, difference | logit, difference | area |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for setting, batch in (("uniform 300", 1), *((each, 16) for each in options.settings)):
        start, steps = setting.split()
        method = ExtremalPerturbation(area=AREA, start=start, steps=int(steps), batch_size=batch)
        began = time.process_time()
        masks = method.of(model)(images, classes).maps
        taken = (time.process_time() - began) / len(images)
        found = reached(model, images, classes, masks)
        first, before = first or found, before or taken
        told = " | ".join(f"{each.mean():.1f}, {difference(each, one)}" for each, one in zip(found, first, strict=True))
        area = float((masks > 0.5).float().mean())
        print(
            f"| {setting} | {batch} | {taken:.2f} | {before / taken:.1f} (≥ {GOAL:g}) | {told} | {area:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
