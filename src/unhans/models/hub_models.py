"""Any image classifier of timm or Hugging Face, with its trained head or a new one; each needs its own package."""

from __future__ import annotations

import difflib
from math import floor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unhans.data import Preprocessing
from unhans.models.checkpoint import first_line, load_state, read_state
from unhans.models.networks import last_layer
from unhans.models.outputs import IMAGENET, Head, HeadChoice, Outputs, is_kept, optional_package, with_head, wordnet_ids

RESIZE = {"center": "crop", "squash": "squash"}  # timm's way: ours; its "border" has none
FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
LARGE = 384  # pixels from which on ConvNeXt's processor squashes
IMAGENET_FIRST = "tench"  # of a head whose outputs are ImageNet's


def timm_classifier(
    num_classes: int,
    name: str,
    weights: str | None = "DEFAULT",
    freeze: bool = False,
    head: HeadChoice = None,
    outputs: Outputs = None,
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
    timm = optional_package("timm", "timm")
    _check_name(timm, name)
    state = _state(timm, name, weights)
    count = _count(timm, name, weights, state)
    kept = is_kept(head, count, num_classes)
    made = {"num_classes": count or num_classes}
    network = _pretrained(timm, name) if weights == "DEFAULT" else timm.create_model(name, **made)
    if state is not None:
        load_state(network, state, f"model.weights={weights}")
    network.requires_grad_(not freeze)
    if count is not None and not kept:
        network.reset_classifier(num_classes)
    for parameter in _head_of(network):
        parameter.requires_grad_(True)
    meaning = _timm_meaning(network, count) if kept else ((), ())
    return with_head(network, Head(kept, count if kept else num_classes, *meaning, outputs))


def timm_preprocessing(
    num_classes: int, name: str, weights: str | None = "DEFAULT", head: HeadChoice = None, **others: Any
) -> Preprocessing | None:
    """Return how timm prepares images for this network; None where the weights are random. Nothing is downloaded.

    Raises:
        ValueError: it takes images that are not square.
    """
    timm = optional_package("timm", "timm")
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
    return full.for_head(is_kept(head, count, num_classes))


timm_classifier.preprocessing = timm_preprocessing  # type: ignore[attr-defined]


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
        raise ValueError(
            f"model.weights=DEFAULT: the weights of {name} could not be had ({first_line(error)}); give a path instead."
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


def _timm_meaning(network: nn.Module, count: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names and WordNet ids of the outputs, where timm knows them."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = "imagenet-1k" if count == IMAGENET else infer_imagenet_subset(network)
    if subset is None:
        return (), ()
    info = ImageNetInfo(subset)
    ids = wordnet_ids() if count == IMAGENET else tuple(info.label_names())
    return tuple(info.label_descriptions()), ids


def huggingface_classifier(
    num_classes: int,
    name: str,
    weights: str | None = "DEFAULT",
    freeze: bool = False,
    head: HeadChoice = None,
    outputs: Outputs = None,
) -> nn.Module:
    """Return an image classifier of Hugging Face, from normalised images to an object with `logits`.

    Args:
        num_classes: of the data.
        name: a name on the hub, such as google/vit-base-patch16-224 (downloaded), or a local folder.
        weights: DEFAULT for those of that name, or None for random ones.
        freeze, head, outputs: as for `torchvision_classifier`.

    Raises:
        ImportError: transformers is not installed.
        ValueError: for a name that is no image classifier or cannot be had, or other weights.
    """
    transformers = optional_package("transformers", "huggingface")
    config = _config(transformers, name, weights)
    count = None if weights is None else int(config.num_labels)
    kept = is_kept(head, count, num_classes)
    network = _model(transformers, name, config, weights, None if kept else num_classes)
    base = set(network.base_model.parameters()) if network.base_model is not network else set()
    for parameter in network.parameters():
        parameter.requires_grad_(not freeze or parameter not in base)
    meaning = _meaning(config) if kept else ((), ())
    return with_head(network, Head(kept, count if kept else num_classes, *meaning, outputs))


def huggingface_preprocessing(
    num_classes: int, name: str, weights: str | None = "DEFAULT", head: HeadChoice = None, **others: Any
) -> Preprocessing | None:
    """Return what the image processor of this name does; None where the weights are random or there is no processor."""
    transformers = optional_package("transformers", "huggingface")
    if weights is None:
        return None
    kept = is_kept(head, int(_config(transformers, name, weights).num_labels), num_classes)
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(name)
    except (OSError, ValueError):
        return None
    return _of_processor(processor, name).for_head(kept)


huggingface_classifier.preprocessing = huggingface_preprocessing  # type: ignore[attr-defined]


def _of_processor(processor: Any, source: str) -> Preprocessing:
    size, way, cut = _geometry(processor)
    normalises = getattr(processor, "do_normalize", True)
    return Preprocessing(
        image_size=size,
        mean=tuple(processor.image_mean) if normalises else (0.0, 0.0, 0.0),
        std=tuple(processor.image_std) if normalises else (1.0, 1.0, 1.0),
        resize=way,
        crop_from=cut,
        interpolation=FILTERS.get(int(getattr(processor, "resample", None) or 2)),  # type: ignore[arg-type]
        source=source,
    )


def _geometry(processor: Any) -> tuple[int | None, Any, int | None]:
    """Pixels of the square, how it is made, and from how many of the shorter side it is cut."""
    size = _plain(getattr(processor, "size", None))
    crop = _plain(getattr(processor, "crop_size", None)) if getattr(processor, "do_center_crop", False) else {}
    share = getattr(processor, "crop_pct", None)
    if "shortest_edge" in size:
        edge = int(size["shortest_edge"])
        if share is not None:
            return (edge, "squash", None) if edge >= LARGE else (edge, "crop", int(edge / share))
        return int(crop.get("height", edge)), "crop", edge
    if "height" not in size:
        return None, None, None
    if crop and crop["height"] != size["height"]:
        return int(crop["height"]), None, None  # squashed and then cut: none of our ways
    return int(size["height"]), "squash", None


def _plain(size: Any) -> dict[str, int]:
    """Sizes of processors are mappings, numbers, or absent."""
    if size is None:
        return {}
    found = {"height": size, "width": size} if isinstance(size, int) else dict(size)
    return {key: value for key, value in found.items() if value is not None}


def _config(transformers: Any, name: str, weights: str | None) -> Any:
    if weights not in ("DEFAULT", None):
        raise ValueError(
            f"model.weights for Hugging Face expects DEFAULT or null, got {weights!r}; a folder is given as model.name."
        )
    return _had(name, lambda: transformers.AutoConfig.from_pretrained(name))


def _model(transformers: Any, name: str, config: Any, weights: str | None, num_classes: int | None) -> Any:
    """The network; with num_classes its head is new and has so many outputs."""
    auto = transformers.AutoModelForImageClassification
    if weights is None:
        config.num_labels = num_classes
        return _had(name, lambda: auto.from_config(config))
    if num_classes is None:
        return _had(name, lambda: auto.from_pretrained(name))
    options = {"num_labels": num_classes, "ignore_mismatched_sizes": True}
    network = _had(name, lambda: auto.from_pretrained(name, **options))
    if num_classes == config.num_labels:  # else the head did not fit, and is new already
        last_layer(network, num_classes)[1].reset_parameters()  # type: ignore[operator]
    return network


def _had(name: str, get: Any) -> Any:
    try:
        return get()
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"model.name expects an image classifier of Hugging Face, a name on the hub or a folder, got {name!r}: "
            f"{first_line(error)}"
        ) from error


def _meaning(config: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the outputs, and their WordNet ids where they are ImageNet's."""
    names = tuple(str(config.id2label[i]) for i in range(config.num_labels))
    if all(name.startswith("LABEL_") for name in names):
        return (), ()
    is_imagenet = len(names) == IMAGENET and names[0].lower().startswith(IMAGENET_FIRST)
    return names, wordnet_ids() if is_imagenet else ()
