"""The networks: a small one to watch, and any classifier of torchvision."""

from __future__ import annotations

import difflib
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

IMAGENET_CLASSES = 1000


class SmallCNN(nn.Module):
    """Three convolutional blocks and a dense head: learns digits in seconds on a CPU.

    Takes (n, 3, H, W) with H, W ≥ 32 and returns logits (n, num_classes).
    """

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        channels = (3, width, 2 * width, 4 * width)
        blocks = [self._block(*pair) for pair in pairwise(channels)]
        self.features = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(4))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(16 * channels[-1], num_classes))

    @staticmethod
    def _block(inputs: int, outputs: int) -> nn.Sequential:
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True), nn.MaxPool2d(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, num_classes)."""
        return self.classifier(self.features(x))


def torchvision_classifier(num_classes: int, name: str, weights: str | None = None, freeze: bool = False) -> nn.Module:
    """Return a torchvision classifier with a fresh head of `num_classes` outputs.

    Args:
        num_classes: number of outputs of the new head.
        name: any name of `torchvision.models.list_models(module=torchvision.models)`.
        weights: a torchvision weights name (DEFAULT, IMAGENET1K_V1, …; downloaded), or the path of a state dict of the
            1000-class network; None for random weights.
        freeze: train the head only.

    Raises:
        ValueError: for an unknown name or weights that do not fit.
    """
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        raise ValueError(f"model.name expects a torchvision classifier, got {name!r}; near names: {', '.join(near)}.")
    options = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    network = models.get_model(name, weights=None, **options)
    if weights is not None:
        load_state(network, _state(name, weights), f"model.weights={weights}")
    for parameter in network.parameters():
        parameter.requires_grad_(not freeze)
    replace_head(network, num_classes)
    return network


def _state(name: str, weights: str) -> dict[str, Tensor]:
    """Read a state dict from a file, or download the named weights."""
    if Path(weights).suffix or Path(weights).exists():
        if not Path(weights).is_file():
            raise ValueError(
                f"model.weights expects a file or a torchvision weights name, but {weights} does not exist."
            )
        return torch.load(weights, map_location="cpu", weights_only=True)
    choices = models.get_model_weights(name)
    if weights not in choices.__members__:
        names = ", ".join(choices.__members__)
        raise ValueError(f"model.weights for {name} expects one of {names}, or a path, got {weights!r}.")
    try:
        return choices[weights].get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise ValueError(f"model.weights={weights}: the download failed ({error}); give a path instead.") from error


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


def replace_head(network: nn.Module, num_classes: int) -> None:
    """Replace the last layer with 1000 outputs, dense or convolutional, by one with `num_classes`."""
    name, head = [
        (name, module)
        for name, module in network.named_modules()
        if IMAGENET_CLASSES in (getattr(module, "out_features", None), getattr(module, "out_channels", None))
    ][-1]
    parent, _, attribute = name.rpartition(".")
    if isinstance(head, nn.Linear):
        fresh: nn.Module = nn.Linear(head.in_features, num_classes, bias=head.bias is not None)
    else:
        fresh = nn.Conv2d(head.in_channels, num_classes, head.kernel_size)
    setattr(network.get_submodule(parent), attribute, fresh)
