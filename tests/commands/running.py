"""Running the two commands in this process: as a user would, but without importing torch again each time."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from unhans import cli

RANDOM = "model=small_cnn untrained=true"  # a network as it was made


@contextmanager
def inside(folder, arguments):
    before, argv = Path.cwd(), sys.argv
    os.chdir(folder)
    sys.argv = arguments
    try:
        yield
    finally:
        os.chdir(before)
        sys.argv = argv


def command(folder, text):
    """Run `train.py …` or `analyze.py …` in a folder; return the exit code."""
    name, *overrides = text.split()
    with inside(folder, [name, *overrides]):
        try:
            {"train.py": cli.train, "analyze.py": cli.analyze}[name]()
        except SystemExit as stop:
            return stop.code or 0
    return 0


def photographs(folder, classes=("cat", "dog"), each=14, size=40):
    """Write a folder of random photographs with train/ and val/."""
    random = np.random.default_rng(0)
    for split, count in (("train", each), ("val", 4)):
        for number, name in enumerate(classes):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 120, (size, size, 3), dtype=np.uint8) + np.uint8(60 * number)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


def only_run(folder):
    """The one run in a folder."""
    (run,) = (folder / "outputs").iterdir()
    return run
