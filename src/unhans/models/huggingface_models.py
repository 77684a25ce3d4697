"""Any image classifier of Hugging Face, with its trained head or a new one; needs the package transformers."""

from __future__ import annotations

from typing import Any

from torch import nn

from unhans.data import Preprocessing
from unhans.models.outputs import IMAGENET, Given, HeadChoice, fresh_head, is_kept, kept_head, wordnet_ids
from unhans.models.weights_preprocessing import for_head

FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
LARGE = 384  # pixels from which on ConvNeXt's processor squashes
IMAGENET_FIRST = "tench"  # of a head whose outputs are ImageNet's


def huggingface_classifier(
    num_classes: int,
    name: str,
    weights: str | None = "DEFAULT",
    freeze: bool = False,
    head: HeadChoice = None,
    outputs: Given = None,
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
    transformers = _transformers()
    config = _config(transformers, name, weights)
    count = None if weights is None else int(config.num_labels)
    kept = is_kept(head, count, num_classes)
    network = _model(transformers, name, config, weights, None if kept else num_classes)
    base = set(network.base_model.parameters()) if network.base_model is not network else set()
    for parameter in network.parameters():
        parameter.requires_grad_(not freeze or parameter not in base)
    if count is None or not kept:
        return fresh_head(network, num_classes, outputs)
    return kept_head(network, count, _meaning(config), outputs)


def huggingface_preprocessing(
    num_classes: int, name: str, weights: str | None = "DEFAULT", head: HeadChoice = None, **others: Any
) -> Preprocessing | None:
    """Return what the image processor of this name does; None where the weights are random or there is no processor."""
    transformers = _transformers()
    if weights is None:
        return None
    kept = is_kept(head, int(_config(transformers, name, weights).num_labels), num_classes)
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(name)
    except (OSError, ValueError):
        return None
    return for_head(_of_processor(processor, f"the image processor of {name}"), kept)


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


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            "model=huggingface needs the package transformers; install it, or unhans with the extra huggingface."
        ) from error
    return transformers


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
        _heads(network, num_classes)[-1].reset_parameters()
    return network


def _heads(network: nn.Module, outputs: int) -> list[Any]:
    sizes = ("out_features", "out_channels")
    return [module for module in network.modules() if outputs in [getattr(module, size, None) for size in sizes]]


def _had(name: str, get: Any) -> Any:
    try:
        return get()
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"model.name expects an image classifier of Hugging Face, a name on the hub or a folder, got {name!r}: "
            f"{reason}"
        ) from error


def _meaning(config: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the outputs, and their WordNet ids where they are ImageNet's."""
    names = tuple(str(config.id2label[i]) for i in range(config.num_labels))
    if all(name.startswith("LABEL_") for name in names):
        return (), ()
    is_imagenet = len(names) == IMAGENET and names[0].lower().startswith(IMAGENET_FIRST)
    return names, wordnet_ids() if is_imagenet else ()
