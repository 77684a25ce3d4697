"""Time, memory and growth of a survey: classes of stored 224 × 224 maps, clustered with everything that is written.

    uv run python tests/benchmarks/survey_scale.py --classes 50 --samples 1300 --out FOLDER

Images and maps are synthetic and cheap, so that nearly all time is that of storing, clustering and reporting. Memory is
the proportional set size of this process and all its workers, the largest of samples taken every second. Afterwards the
same survey is asked for again: nothing is left to do.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from torch.utils.data import Dataset

from unhans import audit
from unhans.attribution import Heatmaps
from unhans.data import PixelScale
from unhans.experiment.survey import Parallel
from unhans.spray import SpRAy

SIDE = 224
NOISE = 0.3  # of the synthetic heatmaps


class Synthetic(Dataset):
    """Smooth random pictures; every third of a class has a bright corner."""

    def __init__(self, classes: int, samples: int) -> None:
        self.labels = np.repeat(np.arange(classes), samples)
        self.coarse = torch.rand(512, 3, 28, 28, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = self.coarse[index % 512].roll(index // 512, -1).repeat_interleave(8, 1).repeat_interleave(8, 2)
        if index % 3 == 0:
            image[:, :32, :32] = 1
        return image, int(self.labels[index])

    def fingerprint(self, indices: np.ndarray) -> str:
        """Tell what these samples are without making them."""
        return f"{indices[0]}-{indices[-1]}"

    scale = PixelScale(torch.zeros(3), torch.ones(3), "unit range")


class Contrast:
    """The image itself as a heatmap, with noise: cheap, and the bright corner stands out."""

    description = "synthetic heatmaps"

    def of(self, model: torch.nn.Module) -> object:
        """Return the function from images to heatmaps."""

        def explain(images: torch.Tensor, target: torch.Tensor) -> Heatmaps:
            noise = torch.randn(images.shape[0], SIDE, SIDE, generator=torch.Generator().manual_seed(int(target[0])))
            return Heatmaps(images.mean(1) + NOISE * noise, torch.zeros(len(images), model.outputs))

        return explain


class Outputs(torch.nn.Module):
    """A network of so many outputs, all zero."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return zeros (n, outputs)."""
        return images.new_zeros(len(images), self.outputs)


class Memory(threading.Thread):
    """The largest proportional set size of this process and its children, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.over = 0, threading.Event()

    def run(self) -> None:
        """Sample every second."""
        while not self.over.wait(1):
            own = psutil.Process()
            self.peak = max(self.peak, sum(map(pss, [own, *own.children(recursive=True)])))


def pss(process: psutil.Process) -> int:
    """Return a process's share of memory; 0 where it has just ended."""
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


def main() -> None:
    """Run, run again, and print one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--samples", type=int, default=1300)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        memory = Memory()
        memory.start()
        seconds, again = measured(options, folder), measured(options, folder)
        memory.over.set()
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        report = (folder / "report.html").stat().st_size
    print("| classes × samples | time | per class | peak memory | on disk | report | again |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print(
        f"| {options.classes} × {options.samples} | {seconds:.0f} s | {seconds / options.classes:.1f} s "
        f"| {memory.peak / 2**30:.2f} GiB | {size / 2**30:.2f} GiB | {report / 1e6:.1f} MB | {again:.1f} s |"
    )


def measured(options: argparse.Namespace, folder: Path) -> float:
    """Return the seconds of one survey into the folder."""
    began = time.perf_counter()
    audit(
        Outputs(options.classes), Synthetic(options.classes, options.samples), attribution=Contrast(),
        spray=SpRAy(pooling=28), out=folder, parallel=Parallel(n_jobs=options.jobs),
    )  # fmt: skip
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
