"""How a network's weights expect images, from its configuration alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from unhans.data import Preprocessing

OF_PICTURES = ("resize", "crop_from", "interpolation")


def for_head(full: Preprocessing, kept: bool) -> Preprocessing:
    """Return the whole preprocessing for a kept head; a new one learns from pictures that are made square otherwise."""
    return full if kept else replace(full, **dict.fromkeys(OF_PICTURES))


def preprocessing_of(build: Callable[..., Any], options: dict[str, Any]) -> Callable[[int], Preprocessing | None]:
    """Return the function from the number of classes to how a network expects images that `build(**options)` makes.

    It returns None for a network of which nothing is known.
    """
    from unhans import models

    known = {
        models.torchvision_classifier: models.torchvision_models.torchvision_preprocessing,
        models.timm_classifier: models.timm_models.timm_preprocessing,
        models.huggingface_classifier: models.huggingface_models.huggingface_preprocessing,
    }
    find = known.get(build)
    return lambda classes: None if find is None else find(classes, **options)
