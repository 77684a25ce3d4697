"""A network on disk: weights, class names, and the corrections that were put into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unhans.clarc import corrections_of, prepared, specification
from unhans.models.weights import load_state
from unhans.store import replacing

PREFIX = "model."  # of the network inside a `Classifier`


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

    Where the checkpoint is of a corrected network, a copy with the same corrections is returned.
    Raises ValueError in one sentence for a file that is no checkpoint, other classes, or another architecture.
    """
    if not Path(path).is_file():
        raise ValueError(f"ckpt expects a checkpoint file, but {path} does not exist.")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        state, named, corrections = checkpoint["state_dict"], checkpoint.get("classes"), checkpoint.get("corrections")
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
