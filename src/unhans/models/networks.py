"""A small network to watch, and any classifier of torchvision, with its trained head or a new one."""

from __future__ import annotations

import difflib
import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from unhans.data import Preprocessing
from unhans.models.checkpoint import first_line, load_state, read_state
from unhans.models.outputs import IMAGENET, Head, HeadChoice, Outputs, is_kept, with_head, wordnet_ids

LOG = logging.getLogger("unhans")


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


def torchvision_classifier(
    num_classes: int,
    name: str,
    weights: str | None = None,
    freeze: bool = False,
    head: HeadChoice = None,
    outputs: Outputs = None,
) -> nn.Module:
    """Return a torchvision classifier, from normalised images to logits.

    Args:
        num_classes: of the data.
        name: any name of `torchvision.models.list_models(module=torchvision.models)`.
        weights: a torchvision weights name (DEFAULT, IMAGENET1K_V1, …; downloaded), or the path of a state dict, with
            any number of outputs; None for random weights.
        freeze: train the head only.
        head: "keep" the last layer of the weights, or a "fresh" one with `num_classes` outputs; None keeps one that has
            as many outputs.
        outputs: of a kept head: which output each class of the data is, see `unhans.models.outputs`.

    Raises:
        ValueError: for an unknown name, or weights that do not fit.
    """
    _check_name(name)
    state = None if weights is None else _state(name, weights)
    count = None if state is None else _count_outputs(name, state)
    kept = is_kept(head, count, num_classes)
    network = _model(name, count or IMAGENET)
    if state is not None:
        load_state(network, state, f"model.weights={weights}")
    network.requires_grad_(not freeze)
    path, layer = last_layer(network, count or IMAGENET)
    if kept:
        layer.requires_grad_(True)
    else:
        _replace(network, path, layer, num_classes)
    meaning = _meaning(count) if kept else ((), ())
    return with_head(network, Head(kept, count if kept else num_classes, *meaning, outputs))


def torchvision_preprocessing(
    num_classes: int, name: str, weights: str | None = None, head: HeadChoice = None, **others: Any
) -> Preprocessing | None:
    """Return how the weights expect images: torchvision's own transforms, of a file with ImageNet's classes the first.

    None where there are no weights, or nothing is known of them. Nothing is downloaded.
    """
    _check_name(name)
    if weights is None:
        return None
    choices = list(models.get_model_weights(name))
    from_file = _is_file(weights)
    if from_file:
        count = _count_outputs(name, _state(name, weights))
        chosen, source = choices[0], f"{name} (ImageNet)"
    else:
        chosen, source = _weights_called(name, weights), f"{name} ({weights})"
        count = len(chosen.meta["categories"])
    if count != IMAGENET:
        return None
    own = chosen.transforms()
    full = Preprocessing(
        image_size=own.crop_size[0],
        mean=tuple(own.mean),
        std=tuple(own.std),
        resize="crop",
        crop_from=own.resize_size[0],
        interpolation=own.interpolation.value,
        source=source,
    )
    kept = is_kept(head, count, num_classes)
    others = [each.name for each in choices if _prepared(each) != _prepared(chosen)]
    if from_file and kept and others:
        LOG.warning(
            "model.weights=%s: images are prepared for %s, since a file does not tell what its weights expect; %s "
            "expects them otherwise: set data.crop_from, data.image_size and data.interpolation if it is in the file.",
            weights, chosen.name, " or ".join(others),
        )  # fmt: skip
    return full.for_head(kept)


torchvision_classifier.preprocessing = torchvision_preprocessing  # type: ignore[attr-defined]


def _prepared(weights: Any) -> tuple[Any, ...]:
    """How torchvision prepares images for weights of its own."""
    own = weights.transforms()
    return own.crop_size, own.resize_size, own.interpolation, own.mean, own.std


def _check_name(name: str) -> None:
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        raise ValueError(f"model.name expects a torchvision classifier, got {name!r}; near names: {', '.join(near)}.")


def _model(name: str, outputs: int) -> nn.Module:
    options = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, weights=None, num_classes=outputs, **options)


def _is_file(weights: str) -> bool:
    return bool(Path(weights).suffix) or Path(weights).exists()


def _state(name: str, weights: str) -> dict[str, Tensor]:
    """Read a state dict from a file, or download the named weights."""
    if _is_file(weights):
        return read_state(weights, _skeleton(name))
    try:
        return _weights_called(name, weights).get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise ValueError(
            f"model.weights={weights}: the download failed ({first_line(error)}); give a path instead."
        ) from error


def _weights_called(name: str, weights: str) -> Any:
    choices = models.get_model_weights(name)
    if weights not in choices.__members__:
        names = ", ".join(choices.__members__)
        raise ValueError(f"model.weights for {name} expects one of {names}, or a path, got {weights!r}.")
    return choices[weights]


def _skeleton(name: str) -> nn.Module:
    """The network without memory for its parameters."""
    with torch.device("meta"):
        return _model(name, IMAGENET)


def _count_outputs(name: str, state: dict[str, Tensor]) -> int:
    """The outputs of a state dict; ImageNet's number where it does not have the head of this network."""
    path, _ = last_layer(_skeleton(name), IMAGENET)
    weight = state.get(f"{path}.weight")
    return IMAGENET if weight is None else len(weight)


def _meaning(count: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names and WordNet ids of a thousand outputs; of others nothing is known."""
    if count != IMAGENET:
        return (), ()
    return tuple(models.ResNet18_Weights.DEFAULT.meta["categories"]), wordnet_ids()


def last_layer(network: nn.Module, outputs: int) -> tuple[str, nn.Module]:
    """Return the path of the last layer with that many outputs, dense or convolutional, and the layer."""
    return [
        (name, module)
        for name, module in network.named_modules()
        if outputs in (getattr(module, "out_features", None), getattr(module, "out_channels", None))
    ][-1]


def _replace(network: nn.Module, path: str, head: nn.Module, num_classes: int) -> None:
    parent, _, attribute = path.rpartition(".")
    if isinstance(head, nn.Linear):
        fresh: nn.Module = nn.Linear(head.in_features, num_classes, bias=head.bias is not None)
    else:
        fresh = nn.Conv2d(head.in_channels, num_classes, head.kernel_size)  # type: ignore[arg-type, call-overload]
    setattr(network.get_submodule(parent), attribute, fresh)
