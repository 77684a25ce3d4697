"""A network on disk: anybody's state dicts, and our checkpoints with class names and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from unhans.clarc import corrections_of, prepared, specification
from unhans.store import replacing

PREFIX = "model."  # of the network inside a `Classifier`
INSIDE = ("state_dict", "model", "model_state_dict", "net")  # where training programs put a state dict
PREFIXES = ("module.", "model.", "network.", "net.", "backbone.")  # that wrappers put before the names


def save_network(network: nn.Module, classes: Sequence[str], path: str | Path) -> None:
    """Write a network, corrected or not, as a checkpoint that `load_network` and `analyze.py ckpt=` read."""
    state = {f"{PREFIX}{name}": value.detach().cpu() for name, value in network.state_dict().items()}
    checkpoint: dict[str, Any] = {"state_dict": state, "classes": list(classes)}
    if corrections_of(network):
        checkpoint["corrections"] = specification(network)
    with replacing(path) as part:
        torch.save(checkpoint, part)


def load_network(network: nn.Module, classes: Sequence[str], path: str | Path) -> nn.Module:
    """Load the weights of a checkpoint into a network of the same architecture and classes, and return it.

    Args:
        network: of the same architecture; where the checkpoint is of a corrected network, a copy with the same
            corrections is returned.
        classes: names of the data's classes.
        path: of the checkpoint.

    Raises:
        ValueError: the file is no checkpoint, or of other classes or another architecture.
    """
    if not Path(path).is_file():
        raise ValueError(f"ckpt expects a checkpoint file, but {path} does not exist.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        state, named, corrections = checkpoint["state_dict"], checkpoint.get("classes"), checkpoint.get("corrections")
    except KeyError as error:
        raise ValueError(
            f"ckpt expects a checkpoint as unhans.models.save_network writes it, but {path} has no entry {error}."
        ) from error
    except Exception as error:  # a truncated, foreign or unsafe file raises many things
        raise ValueError(f"ckpt expects a checkpoint of this program, but {path} is none ({error}).") from error
    if named is not None and named != list(classes):
        raise ValueError(f"ckpt={path} was trained on the classes {named}, the data has {list(classes)}.")
    weights = {key.removeprefix(PREFIX): value for key, value in state.items() if key.startswith(PREFIX)}
    if corrections is not None:
        network = _prepared(network, corrections, path)
    load_state(network, weights, f"ckpt={path}")
    return network


def _prepared(network: nn.Module, corrections: Any, path: str | Path) -> nn.Module:
    try:
        return prepared(network, corrections)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"the corrections of ckpt={path} do not fit {type(network).__name__}: {error}") from error


def read_state(path: str | Path, own: nn.Module) -> dict[str, Tensor]:
    """Return the state dict in a file for a network, without what training programs put round it.

    Raises:
        ValueError: there is no file, or no state dict in it.
    """
    if not Path(path).is_file():
        raise ValueError(f"model.weights expects a file or the name of weights, but {path} does not exist.")
    try:
        found: Any = torch.load(
            path, map_location="cpu", weights_only=True, mmap=is_zipfile(path)
        )  # not the older formats
    except Exception as error:  # a truncated, foreign or unsafe file raises many things
        raise ValueError(
            f"model.weights expects a file that torch.load reads, got {path}: {first_line(error)}"
        ) from error
    for name in INSIDE:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"model.weights expects a state dict, a dict of tensors, but {path} holds something else.")
    return _without_prefix(found, own)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


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
