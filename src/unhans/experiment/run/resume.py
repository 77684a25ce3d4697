"""A command about a checkpoint: the configuration that its run left, with what the command gives instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from unhans.experiment.run.config_check import ConfigurationError

MOVED = {"unhans.artifacts.padding.EdgePadding": "unhans.artifacts.EdgePadding"}  # targets of earlier versions


def saved_config(ckpt: str | Path) -> dict[str, Any] | None:
    """Return the configuration of the run that wrote a checkpoint, from its folder or the one above; None without."""
    path = Path(ckpt)
    for folder in (path.parent, path.parent.parent):
        if (folder / "config.yaml").is_file():
            return _as_now(OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")))
    return None


def _as_now(node: Any) -> Any:
    """A saved configuration with the names that its targets have in this version."""
    if isinstance(node, dict):
        return {key: MOVED.get(each, each) if key == "_target_" else _as_now(each) for key, each in node.items()}
    return [_as_now(each) for each in node] if isinstance(node, list) else node


CHOICE = "of_the_checkpoint"  # the option of a group that stands for what the run had


def with_run(cfg: DictConfig, groups: Sequence[str]) -> DictConfig:
    """Return the command's configuration with groups such as "data" of the run that wrote its checkpoint.

    What the run saved becomes an option of each group, and Hydra composes the command again with these options chosen:
    so its rules hold for what the command gives, a group (`data=…`) in place of the run's and a value (`+data.root=…`)
    in it. What the run was is in its saved configuration alone: neither its overrides, which do not lie beside a
    checkpoint everywhere, nor defaults that have changed since are looked at.

    Raises:
        ConfigurationError: there is no such checkpoint, or no configuration beside it and data or model are not given.
    """
    if cfg.ckpt is not None:
        given = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
        chosen = {one.key_or_group for one in given}
        saved = saved_config(_existing(cfg.ckpt))
        if saved is None and not {"data", "model"} <= chosen:
            raise ConfigurationError(f"ckpt={cfg.ckpt} has no config.yaml beside it; give model=… and data=… as well.")
        if saved is not None:
            taken = {group: saved.get(group) or {} for group in groups if group not in chosen}
            for group, node in taken.items():
                ConfigStore.instance().store(CHOICE, node, group=group)
            cfg = _composed([*(f"{group}={CHOICE}" for group in taken), *(_line(one, groups) for one in given)])
    with open_dict(cfg):
        cfg.update({group: {} for group in groups if not cfg.get(group)})  # nothing chosen, as by artifact=none
    return cfg


def _line(override: Override, groups: Sequence[str]) -> str:
    """An override as it was given; the command added a value that the run may have (+), or changed it."""
    line = override.input_line
    in_group = override.key_or_group.split(".")[0] in groups
    return f"+{line}" if in_group and override.is_add() and not override.is_force_add() else line


def _composed(overrides: list[str]) -> DictConfig:
    name = HydraConfig.get().job.config_name
    if GlobalHydra.instance().is_initialized():
        return compose(name, overrides)
    with initialize_config_module("unhans.conf", version_base="1.3"):  # in a worker of a sweep's launcher
        return compose(name, overrides)


def _existing(ckpt: str) -> str:
    if not Path(ckpt).is_file():
        raise ConfigurationError(f"ckpt expects a checkpoint file, but {ckpt} does not exist.")
    return ckpt
