"""Building data, network and callbacks from a configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from unhans.data import ImageData, Preprocessing
from unhans.experiment.run.config_check import ConfigurationError
from unhans.models import Classifier, preprocessing_of, speak


def build(node: DictConfig | None, **arguments: Any) -> Any:
    """Instantiate a node, or None where it is empty; what its target refuses is raised as it was said."""
    if not node or "_target_" not in node:
        return None
    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, (ValueError, OSError, ImportError)):
            raise error.__cause__ from None
        raise ConfigurationError(str(error).replace("\n", " ")) from error


def build_data(cfg: DictConfig) -> ImageData:
    """Return the data module, set up, with its planted artifact.

    Every process of a run prepares the data, since none can wait for another yet: one after the other, where files are
    fetched, and the later ones find them.
    """
    data = build(cfg.data, artifact=build(cfg.get("artifact")))
    data.preprocessing = _preprocessing(cfg.get("model"))
    data.prepare_data()
    data.setup()
    return data


def build_network(cfg: DictConfig, data: ImageData) -> nn.Module:
    """Return the network for the data's classes; a trained head that is kept gives the data its outputs as labels.

    Raises ValueError where a class has no output.
    """
    network = build(cfg.model, num_classes=data.num_classes)
    speak(network, data)
    return network


def _preprocessing(model: DictConfig | None) -> Callable[[int], Preprocessing | None]:
    """How the configured network's weights expect images."""
    if not model or "_target_" not in model:
        return lambda classes: None
    options: Any = OmegaConf.to_container(model, resolve=True)
    return preprocessing_of(get_object(options.pop("_target_")), options)


def build_classifier(cfg: DictConfig, data: ImageData) -> Classifier:
    """Return the LightningModule that trains the network."""
    return Classifier(build_network(cfg, data), data.classes, build(cfg.optimizer), build(cfg.scheduler))


def build_callbacks(cfg: DictConfig) -> list[pl.Callback]:
    """Return the callbacks in the order of the configuration; options of one that is not there say nothing."""
    callbacks = (build(node) for node in (cfg.callbacks or {}).values())
    return [callback for callback in callbacks if callback is not None]
