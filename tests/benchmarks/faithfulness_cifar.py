"""AOPC minus random order on trained CIFAR-10 ResNets, by the defaults of `analysis=faithfulness`, with one draw.

    uv run python tests/benchmarks/faithfulness_cifar.py --data FOLDER

FOLDER holds cifar10/test.zip and weights/cifar10_resnet{20,56}-*.pth (akamaster/pytorch_resnet_cifar10). The command
takes the same network, with the archive unpacked (PYTHONPATH=tests/benchmarks):

    uv run analyze.py analysis=faithfulness data=image_folder data.root=test data.image_size=32 +model.depth=20
        +model._target_=faithfulness_cifar.cifar_resnet +model.weights=FOLDER/weights/cifar10_resnet20-….pth
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from unhans.attribution import Relevance
from unhans.experiment.faithfulness import compared_methods
from unhans.faithfulness import MethodMeasures, PixelRange, RegionPerturbation, summarise
from unhans.models import Head, with_head
from unhans.report.text.quality import estimate_said

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
METHODS = ("epsilon_alpha2_beta1_flat", "input_x_gradient", "saliency", "random")
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
SETTINGS = RegionPerturbation(region=1, steps=100, repeats=1)


class Block(nn.Module):
    """Two convolutions, and a shortcut that pads channels with zeros (option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.stride, self.padding = stride, (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature maps."""
        found = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        p = self.padding
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, p, p)) if p else x
        return F.relu(found + shortcut)


class CifarResNet(nn.Module):
    """A ResNet of 6 n + 2 layers (He et al. 2016, § 4.2)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.linear = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.Linear(64, 10)
        stages = ((16, 16, 1), (16, 32, 2), (32, 64, 2))
        self.layer1, self.layer2, self.layer3 = (
            nn.Sequential(Block(a, b, s), *(Block(b, b, 1) for _ in range(n - 1))) for a, b, s in stages
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, 10)."""
        maps = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(F.adaptive_avg_pool2d(maps, 1).flatten(1))


def cifar_resnet(num_classes: int, depth: int, weights: str | Path) -> nn.Module:
    """Return the trained network, for `analyze.py model=…` as well: its outputs have CIFAR-10's names."""
    stored = torch.load(weights, map_location="cpu", weights_only=True)
    stored = {name.removeprefix("module."): each for name, each in stored.get("state_dict", stored).items()}
    model = CifarResNet((depth - 2) // 6)
    model.load_state_dict(stored)
    return with_head(model.eval(), Head(True, len(NAMES), NAMES))


def load(data: Path, depth: int) -> nn.Module:
    """Return the trained network of a folder."""
    (file,) = (data / "weights").glob(f"cifar10_resnet{depth}-*.pth")
    return cifar_resnet(len(NAMES), depth, file)


def images(data: Path, per_class: int) -> tuple[Tensor, Tensor]:
    """Return the first test images of every class, normalised, and their labels."""
    with zipfile.ZipFile(data / "cifar10" / "test.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith((".jpg", ".png")))
        classes = sorted({Path(name).parent.name for name in names})
        chosen = [name for each in classes for name in [n for n in names if Path(n).parent.name == each][:per_class]]
        pictures = []
        for name in chosen:
            with archive.open(name) as file, Image.open(file) as picture:
                pictures.append(np.asarray(picture.convert("RGB"), np.float32) / 255)
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    labels = torch.tensor([classes.index(Path(name).parent.name) for name in chosen])
    return (pixels - MEAN[:, None, None]) / STD[:, None, None], labels


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--depths", type=int, nargs="*", default=[20, 56])
    parser.add_argument("--per-class", type=int, default=6)
    parser.add_argument("--region", type=int, default=SETTINGS.region, help="side of a region in pixels")
    options = parser.parse_args()
    steps = max(1, SETTINGS.steps // options.region**2)
    settings = RegionPerturbation(options.region, steps, repeats=SETTINGS.repeats)
    pixels, labels = images(options.data, options.per_class)
    valid = PixelRange(-MEAN / STD, (1 - MEAN) / STD)
    print("| network | method | AOPC minus random | LRP epsilon_plus_flat is ahead by |")
    print("| --- | --- | --- | --- |")
    for depth in options.depths:
        model = load(options.data, depth)
        with torch.no_grad():
            targets = model(pixels).argmax(1)
        nothing = np.zeros((len(pixels), 32, 32))
        random = settings.curves(model, pixels, targets, settings.orders(nothing, pixels, "random"), valid)
        found = {}
        for name, method in compared_methods(Relevance(), METHODS).items():
            maps = method.of(model)(pixels, targets).maps.numpy()
            curves = settings.curves(model, pixels, targets, settings.orders(maps, pixels, "morf"), valid)
            found[name] = MethodMeasures(np.arange(len(pixels)), targets.numpy(), {"morf": curves}, {})
        first = next(iter(found.values()))
        accuracy = float((targets == labels).float().mean())
        for name, each in found.items():
            one = summarise(name, each, random, first)
            ahead = "" if each is first else " ".join(estimate_said(one.ahead, 2))
            said = " ".join(estimate_said(one.minus_random["morf"], 2))
            print(f"| ResNet-{depth} ({accuracy:.0%} right) | {name} | {said} | {ahead} |", flush=True)


if __name__ == "__main__":
    main()
