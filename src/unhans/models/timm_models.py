"""Any classifier of timm, with its trained head or a new one; needs the package timm."""

from __future__ import annotations

import difflib
from math import floor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unhans.data import Preprocessing
from unhans.models.outputs import IMAGENET, Given, HeadChoice, fresh_head, is_kept, kept_head, wordnet_ids
from unhans.models.weights import load_state, read_state
from unhans.models.weights_preprocessing import for_head

RESIZE = {"center": "crop", "squash": "squash"}  # timm's way: ours; its "border" has none


def timm_classifier(
    num_classes: int,
    name: str,
    weights: str | None = "DEFAULT",
    freeze: bool = False,
    head: HeadChoice = None,
    outputs: Given = None,
) -> nn.Module:
    """Return a classifier of timm, from normalised images to logits.

    Args:
        num_classes: of the data.
        name: a name of `timm.list_models(pretrained=True)`, such as resnet18.a1_in1k.
        weights: DEFAULT for those of that name (downloaded), the path of a state dict, or None for random ones.
        freeze, head, outputs: as for `torchvision_classifier`.

    Raises:
        ImportError: timm is not installed.
        ValueError: for an unknown name, or weights that do not fit.
    """
    timm = _timm()
    _check_name(timm, name)
    state = _state(timm, name, weights)
    count = _count(timm, name, weights, state)
    kept = is_kept(head, count, num_classes)
    made = {"num_classes": count or num_classes}
    network = _pretrained(timm, name) if weights == "DEFAULT" else timm.create_model(name, **made)
    if state is not None:
        load_state(network, state, f"model.weights={weights}")
    for parameter in network.parameters():
        parameter.requires_grad_(not freeze)
    if count is not None and not kept:
        network.reset_classifier(num_classes)
    for parameter in _head_of(network):
        parameter.requires_grad_(True)
    if count is None or not kept:
        return fresh_head(network, num_classes, outputs)
    return kept_head(network, count, _meaning(network, count), outputs)


def timm_preprocessing(
    num_classes: int, name: str, weights: str | None = "DEFAULT", head: HeadChoice = None, **others: Any
) -> Preprocessing | None:
    """Return how timm prepares images for this network; None where the weights are random. Nothing is downloaded.

    Raises ValueError for one that takes images that are not square.
    """
    timm = _timm()
    _check_name(timm, name)
    if weights is None:
        return None
    from timm.data import resolve_data_config

    config = resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict(), model=None)
    _, height, width = config["input_size"]
    if height != width:
        raise ValueError(f"images are read as squares, but {name} takes {height} × {width} pixels.")
    way: Any = RESIZE.get(config["crop_mode"])
    full = Preprocessing(
        image_size=height,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        resize=way,
        crop_from=floor(height / config["crop_pct"]) if way == "crop" else None,
        interpolation=config["interpolation"],
        source=f"timm's {name}",
    )
    count = _count(timm, name, weights, _state(timm, name, weights))
    return for_head(full, is_kept(head, count, num_classes))


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ImportError("model=timm needs the package timm; install it, or unhans with the extra timm.") from error
    return timm


def _check_name(timm: Any, name: str) -> None:
    if timm.is_model(name.split(".")[0]):
        tags = timm.list_pretrained(f"{name.split('.')[0]}*")
        if "." not in name or name in tags:
            return
        raise ValueError(f"model.name={name} expects one of timm's weights {', '.join(tags)}, got another.")
    near = difflib.get_close_matches(name, timm.list_models(), n=3)
    raise ValueError(f"model.name expects a network of timm, got {name!r}; near names: {', '.join(near)}.")


def _count(timm: Any, name: str, weights: str | None, state: dict[str, Tensor] | None) -> int | None:
    """The outputs of the weights; None without weights."""
    if weights is None:
        return None
    config = timm.get_pretrained_cfg(name)
    if state is None:
        if config is None or not config.has_weights:
            raise ValueError(f"model.weights=DEFAULT: timm has no weights for {name}; give a path, or null.")
        return config.num_classes
    classifier = config.classifier[0] if isinstance(config.classifier, (tuple, list)) else config.classifier
    weight = state.get(f"{classifier}.weight")
    return IMAGENET if weight is None else len(weight)


def _pretrained(timm: Any, name: str) -> nn.Module:
    """The network with timm's own weights, which are downloaded."""
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:  # the hub's libraries raise many things
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"model.weights=DEFAULT: the weights of {name} could not be had ({reason}); give a path instead."
        ) from error


def _state(timm: Any, name: str, weights: str | None) -> dict[str, Tensor] | None:
    """The state dict in a file; None where no file is given."""
    if weights in (None, "DEFAULT"):
        return None
    if not Path(weights).is_file():
        raise ValueError(f"model.weights for timm expects DEFAULT, null or a file, but {weights} does not exist.")
    with torch.device("meta"):
        skeleton = timm.create_model(name, pretrained=False)
    return read_state(weights, skeleton)


def _head_of(network: Any) -> list[nn.Parameter]:
    """The parameters of the last layer, or layers where a network has two."""
    head = network.get_classifier()
    parts = head if isinstance(head, (tuple, list)) else [head]
    return [parameter for part in parts for parameter in part.parameters()]


def _meaning(network: nn.Module, count: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names and WordNet ids of the outputs, where timm knows them."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = "imagenet-1k" if count == IMAGENET else infer_imagenet_subset(network)
    if subset is None:
        return (), ()
    info = ImageNetInfo(subset)
    ids = wordnet_ids() if count == IMAGENET else tuple(info.label_names())
    return tuple(info.label_descriptions()), ids
