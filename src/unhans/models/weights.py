"""State dicts: reading them from files, and loading them where they fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

INSIDE = ("state_dict", "model", "model_state_dict", "net")  # where training programs put a state dict
PREFIXES = ("module.", "model.", "network.", "net.", "backbone.")  # that wrappers put before the names


def read_state(path: str | Path, own: nn.Module) -> dict[str, Tensor]:
    """Return the state dict in a file for a network, without what training programs put round it.

    Raises:
        ValueError: there is no file, or no state dict in it.
    """
    if not Path(path).is_file():
        raise ValueError(f"model.weights expects a file or the name of weights, but {path} does not exist.")
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=_can_map(path))
    except Exception as error:  # a truncated, foreign or unsafe file raises many things
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"model.weights expects a file that torch.load reads, got {path}: {reason}") from error
    for name in INSIDE:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"model.weights expects a state dict, a dict of tensors, but {path} holds something else.")
    return _without_prefix(found, own)


def load_state(network: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load a state dict that must fit the network exactly, but for absent auxiliary heads."""
    state = {key: value for key, value in state.items() if not key.lower().startswith("aux")}
    own = network.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    odd = [key for key in state if key not in own or own[key].shape != state[key].shape]
    if missing or odd:
        raise ValueError(
            f"{source} does not fit {type(network).__name__}: {len(missing)} parameters are missing and "
            f"{len(odd)} do not match, such as {(missing + odd)[0]!r}."
        )
    network.load_state_dict(state, strict=False)


def _without_prefix(state: dict[str, Tensor], own: nn.Module) -> dict[str, Tensor]:
    """Leave out the prefix that all names have and the network's have not, as DataParallel's "module."."""
    names = set(own.state_dict())
    for prefix in PREFIXES:
        if state and all(key.startswith(prefix) for key in state) and not any(key in names for key in state):
            return _without_prefix({key.removeprefix(prefix): value for key, value in state.items()}, own)
    return state


def _can_map(path: str | Path) -> bool:
    """Files of the older formats cannot be mapped into memory."""
    with open(path, "rb") as file:
        return file.read(2) == b"PK"
