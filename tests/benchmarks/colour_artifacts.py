"""Whether a colour that a part of a class has is isolated as a transform, and whether natural ones are not.

    UNHANS_TEST_DATA=… uv run tests/benchmarks/colour_artifacts.py setting
    UNHANS_TEST_DATA=… uv run tests/benchmarks/colour_artifacts.py reporting

Digits whose strokes, ground or paper are coloured, photographs and CIFAR with tints and filters; the cluster misses one
carrier in twenty and holds as many others. Beside them clusters of clean classes: halves drawn by chance, and images
parted in two by their mean colours. The halves share neither a class nor a colour.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import chain, product
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageColor
from planted.pictures import pictures_of
from sklearn.cluster import KMeans
from torch import Tensor

from unhans.isolation import NothingIsolatedError
from unhans.isolation.whole import isolate_whole

COLOURS = {
    "setting": ("red", "lime", "orange", "deepskyblue"),
    "reporting": ("blue", "yellow", "magenta", "teal", "pink"),
}
CLASSES = {"setting": range(5), "reporting": range(5, 10)}
COVERAGES = {"setting": (0.5, 0.3), "reporting": (0.4, 0.2)}
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
SEPIA = torch.tensor([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
WRONG = 0.05
N = 160

Images = tuple[Tensor, Tensor]  # as they are, and with the colour
Paint = Callable[[Tensor, Tensor, np.random.Generator], Images]


def strokes(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """White strokes on black, and coloured ones."""
    return images, images * colour


def strokes_among_colours(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """Strokes of any colour, and all in one."""
    return images * hues(len(images), rng), images * colour


def ground(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """White strokes on black, and on a colour."""
    return images, images + (1 - images) * 0.7 * colour


def paper(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """Black strokes on white, and coloured ones."""
    return 1 - images, 1 - images * (1 - 0.8 * colour)


def strokes_on_colours(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """White strokes on dark grounds of any colour, and coloured ones."""
    grounds = (1 - images) * 0.4 * hues(len(images), rng)
    return grounds + images, grounds + images * colour


def tint(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """Half way to one hue."""
    return images, (images + (images * LUMA).sum(1, keepdim=True) * (0.5 + colour)) / 2


def colour_filter(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """Seen through a coloured glass."""
    return images, images * (0.6 + 0.4 * colour)


def sepia(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """Old photographs."""
    return images, torch.einsum("oc,nchw->nohw", SEPIA, images).clamp(0, 1)


def greyscale(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """Black and white photographs."""
    return images, (images * LUMA).sum(1, keepdim=True).expand_as(images)


def faded(images: Tensor, colour: Tensor, rng: np.random.Generator) -> Images:
    """A third of the saturation."""
    return images, images / 3 + (images * LUMA).sum(1, keepdim=True) * 2 / 3


DRAWN: dict[str, Paint] = {
    each.__name__: each for each in (strokes, strokes_among_colours, ground, paper, strokes_on_colours)
}
PHOTOGRAPHED: dict[str, Paint] = {each.__name__: each for each in (tint, colour_filter, sepia, greyscale, faded)}


def hues(n: int, rng: np.random.Generator) -> Tensor:
    """Return bright colours (n, 3, 1, 1), one channel full and one empty at most."""
    drawn = rng.random((n, 3))
    drawn = (drawn - drawn.min(1, keepdims=True)) / np.ptp(drawn, axis=1, keepdims=True)
    mixed = 1 - rng.random((n, 1)) * (1 - drawn)
    return torch.from_numpy(mixed).float().view(n, 3, 1, 1)


def of_class(name: str, label: int) -> Tensor:
    """Return images (n, 3, H, W) of a class, 160 at most."""
    side = 48 if name == "digits" else 64
    found = pictures_of(name, side if name != "cifar" else 32, Path(gettempdir()) / "unhans-colours")
    own = found.images[found.labels == label][:N]
    return torch.from_numpy(own).permute(0, 3, 1, 2).float() / 255


def rounded(images: Tensor) -> Tensor:
    return (images.clamp(0, 1) * 255).round() / 255


def cluster(carries: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the carriers but for a few that are missed, and as many others."""
    members = carries.copy()
    for group in (carries, ~carries):
        wrong = rng.permutation(np.flatnonzero(group))[: round(WRONG * carries.sum())]
        members[wrong] = ~members[wrong]
    return members


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().mean().sqrt())


def planted(half: str) -> Iterator[str]:
    """Isolate what was planted: whether, how far from the truth where applied and undone, and who carries it."""
    sources = ("digits", "photographs") if half == "setting" else ("digits", "photographs", "cifar")
    for number, source in enumerate(sources):
        for (k, kind), (j, colour) in product(
            enumerate(DRAWN if source == "digits" else PHOTOGRAPHED), enumerate(COLOURS[half])
        ):
            if kind in ("sepia", "greyscale", "faded") and j > 1:
                continue
            label = list(CLASSES[half])[(j + k) % 5]
            share = COVERAGES[half][j % 2]
            rng = np.random.default_rng([number, k, j])
            code = torch.tensor(ImageColor.getrgb(colour)).float().view(3, 1, 1) / 255
            paint = {**DRAWN, **PHOTOGRAPHED}[kind]
            without, coloured = map(rounded, paint(of_class(source, label), code, rng))
            carries = rng.permutation(len(without)) < share * len(without)
            images = torch.where(torch.from_numpy(carries)[:, None, None, None], coloured, without)
            yield f"{source} {kind} {colour} {label} {share}: {told(images, carries, rng, without, coloured)}"


def told(
    images: Tensor, carries: NDArray[np.bool_], rng: np.random.Generator, without: Tensor, coloured: Tensor
) -> str:
    try:
        found = [each for each in isolate_whole(images, cluster(carries, rng)) if each.detector.family == "colours"]
    except NothingIsolatedError as error:
        return f"MISSED {error.failures[0]}"
    if not found:
        return "MISSED, other kinds only"
    one, step = found[0], difference(without, coloured)
    kept, gone = torch.from_numpy(carries), torch.from_numpy(~carries)
    applied = difference(one.transform.apply(without[gone]), coloured[gone]) / step
    undone = difference(one.transform.undo(coloured[kept]), without[kept]) / step
    right = float((one.members == carries).mean())
    left = f"{one.evidence.before:.2f} to {one.evidence.after:.2f}"
    return f"{one.transform.name}, applied {applied:.2f}, undone {undone:.2f}, members {right:.2f}, area {left}"


def clean(half: str) -> Iterator[str]:
    """Isolate from clusters of clean classes: what is found is a false alarm."""
    sources = ("digits", "photographs") if half == "setting" else ("digits", "photographs", "cifar")
    for source, label in product(sources, CLASSES[half]):
        images = of_class(source, label)
        means = images.flatten(2).mean(2).numpy()
        parted = KMeans(2, n_init=4, random_state=0).fit_predict(means) == 0
        saturation = (images.amax(1) - images.amin(1)).flatten(1).mean(1).numpy()
        clusters = {
            "chance": np.random.default_rng([label, 9]).permutation(len(images)) < len(images) // 2,
            "mean colour": parted,
            "saturation": saturation > np.quantile(saturation, 0.7),
        }
        for name, members in clusters.items():
            try:
                found = [each for each in isolate_whole(images, members) if each.detector.family == "colours"]
            except NothingIsolatedError:
                found = []
            yield f"clean {source} {label} {name}: {found[0].transform.name + ' FOUND' if found else 'nothing'}"


if __name__ == "__main__":
    for line in chain(planted(sys.argv[1]), clean(sys.argv[1])):
        print(line, flush=True)
