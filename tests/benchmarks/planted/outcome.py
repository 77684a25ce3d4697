"""One finished case as a line of JSON: the network and the truth, then what an audit or a method found."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from planted import adapter, baselines
from planted.adapter import ClassResult
from planted.cases import Case
from planted.painters import PAINTERS, half_of
from planted.training import Run, run_of

Line = dict[str, Any]


def audited(case: Case, out: Path) -> Line:
    """Train, or read, the network of a case and audit it."""
    torch.set_num_threads(1)
    run = run_of(case, out)
    results = adapter.audit_run(run.network, run.dataset, run.audited, case.seed)
    return _truth(case, run) | {"results": [_result(result, run) for result in results]}


def proposed(case: Case, out: Path) -> Line:
    """Train, or read, the network of a case and let the baselines propose for its planted class."""
    torch.set_num_threads(1)
    run = run_of(case, out)
    if run.target < 0:
        return _truth(case, run) | {"methods": {}}
    found = baselines.propose(run.network, run.dataset, run.audited, case.seed)
    methods = {}
    for name, each in found.items():
        index, proposal = each.index[run.target], each.proposals[run.target]
        matches = [matched(members, index, run) for members in proposal.candidates]
        methods[name] = {"position": each.position(run.target), "candidates": matches}
    return _truth(case, run) | {"methods": methods}


def matched(members: NDArray[np.bool_], index: NDArray[np.int64], run: Run) -> Line:
    """Compare a candidate with the carriers of every planted artifact, among the audited samples of the class."""
    found: Line = {"size": int(members.sum()), "n": len(members)}
    for kind, carriers in run.carriers.items():
        carry = carriers[index]
        both = int((carry & members).sum())
        precision = both / int(members.sum()) if members.any() else 0.0
        found[kind] = {"precision": precision, "recall": both / max(1, int(carry.sum())), "base": float(carry.mean())}
    return found


def read_lines(path: Path) -> dict[str, Line]:
    """Return the finished cases by key; a line that an interruption cut off does not count."""
    return {line["key"]: line for line in _parsed(path)} if path.exists() else {}


def append(path: Path, line: Line) -> None:
    """Add a finished case to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * bool(cut) + json.dumps(line) + "\n")


def _parsed(path: Path) -> Iterator[Line]:
    for number, text in enumerate(path.read_text().splitlines(), start=1):
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            warnings.warn(f"line {number} of {path.name} was cut off; its case is run again", stacklevel=2)


def _truth(case: Case, run: Run) -> Line:
    known = {
        "key": case.key,
        "half": half_of(case.kinds[0]) if case.kinds else "",
        "group": PAINTERS[case.kinds[0]].group if case.kinds else "",
        "target": run.target,
        "accuracy": run.accuracy,
        "training_seconds": run.seconds,
        "adoption": [asdict(each) | {"adopted": each.adopted} for each in run.adoption],
    }
    return asdict(case) | known


def _result(result: ClassResult, run: Run) -> Line:
    """A class's result; its candidates are compared with the carriers where it is the planted class."""
    kept = ("label", "name", "position", "score", "verdict", "effect", "kind", "in_features", "seconds")
    candidates = [matched(each, result.index, run) for each in result.members] if result.label == run.target else []
    return {name: getattr(result, name) for name in kept} | {"n": len(result.index), "candidates": candidates}
