"""How much memory an explanation may take."""

from __future__ import annotations

from pathlib import Path

import torch

SHARE = 0.4  # of what is free goes to the tape; the rest is for rules at work and for others


class TooLargeError(Exception):
    """The tape of a batch would not fit; the batch is to be split."""


def budget(device: torch.device) -> float:
    """Return how many bytes a tape may hold on this device; infinite where nobody knows."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return SHARE * (free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    return SHARE * min(_available(), _left_to_group()) if device.type == "cpu" else float("inf")


def _available(path: Path = Path("/proc/meminfo")) -> float:
    """What the kernel could give, on Linux."""
    try:
        lines = path.read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return float("inf")


def _left_to_group(folder: Path = Path("/sys/fs/cgroup")) -> float:
    """What the container may still take, where it has a limit."""
    try:
        return float((folder / "memory.max").read_text()) - float((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return float("inf")
