"""Peak memory of LRP against one forward and backward pass to the input, each in a process of its own.

uv run python tests/benchmarks/lrp_memory.py
"""

from __future__ import annotations

import resource
import subprocess
import sys

from lrp_speed import WORKS, forward_backward, network

GOAL = 1.5


def peak() -> int:
    """Return the largest resident memory of this process so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def work(name: str, composite: str, batch: int, what: str) -> None:
    """Do one of the works; print how much memory it took beyond model and images."""
    import torch

    from unhans.lrp import LRP

    model = network(name, calibrate=False).requires_grad_(False)
    x = torch.rand(batch, 3, 224, 224)
    forward_backward(model, x[:1]) if what == "plain" else LRP(model, composite).attribute(x[:1], 0)
    before = peak()
    forward_backward(model, x) if what == "plain" else LRP(model, composite).attribute(x, 0)
    print(peak() - before)


def measured(name: str, composite: str, batch: int, what: str) -> int:
    """Return the KiB that a process of its own needed."""
    command = [sys.executable, __file__, name, composite, str(batch), what]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the table."""
    print("| work | batch | peak memory × forward + backward (goal) |")
    print("| --- | --- | --- |")
    for name, composite, batch in WORKS:
        plain, ours = (measured(name, composite, batch, what) for what in ("plain", "ours"))
        print(f"| {name}, `{composite}` | {batch} | {ours / plain:.2f} (≤ {GOAL}) |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
