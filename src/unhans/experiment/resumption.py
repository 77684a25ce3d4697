"""The configuration of a checkpoint's run, where training goes on with its network."""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from unhans.experiment.check import ConfigurationError
from unhans.experiment.saved import saved_config

OF_THE_RUN = ("data", "artifact", "model", "optimizer")


def of_checkpoint(cfg: DictConfig) -> DictConfig:
    """Return the configuration with data, artifact, model and optimizer of the checkpoint's run.

    What is given on the command line goes first: a group (`data=…`) instead of the run's, a value (`data.root=…`) in
    it. Without a checkpoint, and without a configuration beside it where data and model are given, nothing changes.
    Raises ConfigurationError where there is no checkpoint of that name, or no configuration beside it.
    """
    if cfg.ckpt is None:
        return cfg
    given = given_keys()
    saved = saved_config(_existing(cfg.ckpt))
    if saved is None:
        if {"data", "model"} <= given:
            return cfg
        raise ConfigurationError(f"ckpt={cfg.ckpt} has no config.yaml beside it; give model=… and data=… as well.")
    merged = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    for group in OF_THE_RUN:
        if group not in given:
            merged[group] = _with_values(OmegaConf.create(saved.get(group) or {}), cfg, group, given)
    OmegaConf.set_struct(merged, True)
    return merged


def _with_values(node: DictConfig, cfg: DictConfig, group: str, given: set[str]) -> DictConfig:
    """The run's group with the values that were given on the command line."""
    for path in given:
        if path.startswith(f"{group}."):
            OmegaConf.update(node, path.removeprefix(f"{group}."), OmegaConf.select(cfg, path), force_add=True)
    return node


def given_keys() -> set[str]:
    """Return the groups and keys that the command line names; none where no command runs."""
    if not HydraConfig.initialized():
        return set()
    return {override.split("=", 1)[0].lstrip("+~") for override in HydraConfig.get().overrides.task}


def _existing(ckpt: str) -> str:
    if not Path(ckpt).is_file():
        raise ConfigurationError(f"ckpt expects a checkpoint file, but {ckpt} does not exist.")
    return ckpt
