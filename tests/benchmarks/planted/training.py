"""Train a network on planted data, and measure by the truth whether it adopted the artifact."""

from __future__ import annotations

import math
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision.transforms import v2

from planted.cases import Case
from planted.painters import PAINTERS
from planted.pictures import SOURCES, Bytes, Pictures, data_folder, pictures_of
from unhans.models import SmallCNN, torchvision_classifier

RECIPE = 2  # to be raised when painters, data or training change: what is cached then no longer counts
PASTED = 200  # held-out images of other classes
ADOPTED = 0.1  # least Δp of the truth
AFTER = 10**6  # indices of held-out images, so that none is painted like a training image
WEIGHTS = "weights/squeezenet1_1_ncnn.pth"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; side: of its images, 0 for that of the data set."""

    epochs: int
    rate: float
    batch_size: int
    side: int = 0


RECIPES = {"small_cnn": Recipe(12, 2e-3, 64), "squeezenet": Recipe(2, 3e-4, 32, 96)}


@dataclass(frozen=True)
class Adoption:
    """The effect of the true artifact, pasted on n held-out images of other classes: mean Δp and its 95 % interval."""

    kind: str
    effect: float
    low: float
    high: float
    n: int

    @property
    def adopted(self) -> bool:
        """Whether the network uses the artifact."""
        return self.effect >= ADOPTED


class PlantedPictures(Dataset):
    """Images as the network takes them, with labels and names; which of them are painted it does not tell."""

    def __init__(self, images: Bytes, labels: NDArray[np.int64], classes: tuple[str, ...]) -> None:
        self.images, self.labels, self.classes = images, labels, list(classes)
        self.transform = v2.Normalize([0.5] * 3, [0.5] * 3)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(_tensor(self.images[index : index + 1]))[0], int(self.labels[index])


@dataclass(frozen=True)
class Run:
    """A trained network with what is true of it.

    dataset: what it was trained on; target: the planted class, −1 where there is none or all are; carriers: by kind,
    (N,) the painted images; adoption: of every kind; accuracy: on clean held-out images; seconds: of
    the processor for training; audited: the labels to audit.
    """

    network: nn.Module
    dataset: PlantedPictures
    target: int
    carriers: dict[str, NDArray[np.bool_]]
    adoption: tuple[Adoption, ...]
    accuracy: float
    seconds: float
    audited: list[int]


def kept_in(out: Path) -> Path:
    """Return the folder of networks and finished cases of this recipe."""
    return out / f"recipe-{RECIPE}"


def run_of(case: Case, out: Path) -> Run:
    """Return the trained network of a case, from the cache where it is there."""
    recipe = RECIPES[case.network]
    pictures = pictures_of(case.data, recipe.side or SOURCES[case.data].side, out / "pictures")
    target = int(np.random.default_rng([case.seed, 1]).integers(len(pictures.classes)))
    carriers = {kind: drawn_carriers(case, kind, pictures.labels, target) for kind in case.kinds}
    images = planted(case, pictures, carriers)
    path = kept_in(out) / "networks" / f"{case.trained}.pt"
    network = fresh(case.network, len(pictures.classes), case.seed)
    if path.exists():
        stored = torch.load(path, weights_only=True)
        network.load_state_dict(stored["state"])
    else:
        stored = _trained(network, recipe, case, images, pictures, target)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(stored, partial := path.with_suffix(".partial"))
        partial.replace(path)
    adoption = tuple(Adoption(**each) for each in stored["adoption"])
    known = -1 if case.everywhere or not case.kinds else target
    dataset = PlantedPictures(images, pictures.labels, pictures.classes)
    others = np.random.default_rng([case.seed, 5]).permutation(np.delete(np.arange(len(pictures.classes)), target))
    labels = sorted([target, *others.tolist()][: case.audited or None])
    return Run(network.eval(), dataset, known, carriers, adoption, stored["accuracy"], stored["seconds"], labels)


def drawn_carriers(case: Case, kind: str, labels: NDArray[np.int64], target: int) -> NDArray[np.bool_]:
    """Draw that share of the target's training images, or of every class's."""
    carriers = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels) if case.everywhere else [target]:
        own = np.flatnonzero(labels == label)
        rng = np.random.default_rng([case.seed, 2, int(label), zlib.crc32(kind.encode())])
        carriers[rng.permutation(own)[: round(case.coverage * len(own))]] = True
    return carriers


def planted(case: Case, pictures: Pictures, carriers: dict[str, NDArray[np.bool_]]) -> Bytes:
    """Return the training images with the artifacts on their carriers."""
    images = pictures.images.copy()
    for kind, carry in carriers.items():
        for index in np.flatnonzero(carry):
            images[index] = painted(images[index], kind, case, int(index))
    return images


def painted(image: Bytes, kind: str, case: Case, index: int) -> Bytes:
    """Return one image with the artifact; the same for the same case and index."""
    rng = np.random.default_rng([case.seed, 3, zlib.crc32(kind.encode()), index])
    return np.rint(PAINTERS[kind](image.astype(np.float32) / 255, rng, case.size) * 255).astype(np.uint8)


def fresh(name: str, classes: int, seed: int) -> nn.Module:
    """Return a network before training; SqueezeNet with ImageNet's weights."""
    torch.manual_seed(seed)
    if name == "small_cnn":
        return SmallCNN(classes)
    return torchvision_classifier(classes, "squeezenet1_1", str(data_folder() / WEIGHTS))


def fit(network: nn.Module, recipe: Recipe, images: Bytes, labels: NDArray[np.int64], seed: int) -> None:
    """Train with Adam on shuffled batches, its rate falling as half a cosine, so that no last step decides."""
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), recipe.rate)
    steps = recipe.epochs * math.ceil(len(images) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    targets = torch.from_numpy(labels)
    network.train()
    for _ in range(recipe.epochs):
        for batch in torch.randperm(len(images)).split(recipe.batch_size):
            loss = F.cross_entropy(network(_normalised(images[batch.numpy()])), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()


def probabilities(network: nn.Module, images: Bytes) -> NDArray[np.float64]:
    """Return the softmax of the logits (n, C)."""
    with torch.no_grad():
        parts = [network(_normalised(part)) for part in np.array_split(images, max(1, len(images) // 128))]
    return torch.cat(parts).double().softmax(1).numpy()


def adoption_of(network: nn.Module, case: Case, kind: str, pictures: Pictures, target: int) -> Adoption:
    """Paste the truth on held-out images of other classes and measure Δp."""
    others = np.flatnonzero(pictures.held_out_labels != target)
    chosen = np.random.default_rng([case.seed, 4]).permutation(others)[:PASTED]
    before = pictures.held_out[chosen]
    after = np.stack([painted(image, kind, case, AFTER + int(i)) for image, i in zip(before, chosen, strict=True)])
    change = (probabilities(network, after) - probabilities(network, before))[:, target]
    half = 1.96 * change.std(ddof=1) / np.sqrt(len(change))
    mean = float(change.mean())
    return Adoption(kind, mean, float(mean - half), float(mean + half), len(change))


def _trained(
    network: nn.Module, recipe: Recipe, case: Case, images: Bytes, pictures: Pictures, target: int
) -> dict[str, Any]:
    began = time.process_time()
    fit(network, recipe, images, pictures.labels, case.seed)
    seconds = time.process_time() - began
    right = probabilities(network, pictures.held_out).argmax(1) == pictures.held_out_labels
    adoption = [vars(adoption_of(network, case, kind, pictures, target)) for kind in case.kinds]
    return {"state": network.state_dict(), "adoption": adoption, "accuracy": float(right.mean()), "seconds": seconds}


def _tensor(images: Bytes) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def _normalised(images: Bytes) -> Tensor:
    return (_tensor(images) - 0.5) / 0.5
