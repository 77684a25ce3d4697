"""The configuration of a command: checked against what it configures, saved, and completed by that of a checkpoint."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from unhans.store import held, replacing
from unhans.terminal import ConfigurationError, near, no_file

SPECIAL = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
MOVED = {"unhans.artifacts.padding.EdgePadding": "unhans.artifacts.EdgePadding"} | {
    f"unhans.data.{name}": f"unhans.data.sources.{name}" for name in ("Digits", "ImageFolder", "Npz", "TorchvisionData")
}  # targets of earlier versions
CHOICE = "of_the_checkpoint"  # the option of a group that stands for what the run had


def check(cfg: DictConfig) -> None:
    """Raise ConfigurationError for the first missing value, unknown key or value of a wrong type.

    A node with `_target_` is held against the signature of its target: the types there are the documentation.
    """
    for path in sorted(OmegaConf.missing_keys(cfg)):
        raise ConfigurationError(f"{path} is missing; give it as {path}=… on the command line.")
    try:
        OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigurationError(str(error).split("\n")[0]) from error
    for path, node in _targets(cfg, ""):
        _check_node(path, node)


def _targets(node: Any, path: str) -> Iterator[tuple[str, DictConfig]]:
    """Every node that names what it builds, with its path."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield path, node
        for key in node:
            yield from _targets(node[key], f"{path}.{key}".lstrip("."))
    elif isinstance(node, ListConfig):
        for index, child in enumerate(node):
            yield from _targets(child, f"{path}[{index}]")


def _check_node(path: str, node: DictConfig) -> None:
    try:
        target = get_object(node._target_)
    except Exception as error:
        raise ConfigurationError(f"{path}._target_={node._target_} cannot be imported.") from error
    parameters, open_ended = _parameters(target)
    given = [str(key) for key in node if key not in SPECIAL]
    for key in given:
        if key not in parameters and not open_ended:
            hint = near(key, parameters, f"; it takes {', '.join(parameters)}.")
            raise ConfigurationError(f"{path}.{key} is not an option of {node._target_}{hint}")
    for key in given:
        if key in parameters:
            _check_value(f"{path}.{key}", node[key], parameters[key])


def _parameters(target: Any) -> tuple[dict[str, Any], bool]:
    """The parameters that a call of the target takes, with their types, and whether it takes any other as well."""
    functions = (
        [vars(c)["__init__"] for c in target.__mro__ if "__init__" in vars(c)] if inspect.isclass(target) else [target]
    )
    found: dict[str, Any] = {}
    for function in functions:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return found, True
        hints = _hints(function)
        kinds = [p.kind for p in signature.parameters.values()]
        found = {name: hints.get(name, Any) for name, p in signature.parameters.items() if p.kind not in (2, 4)} | found
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return {name: hint for name, hint in found.items() if name != "self"}, False
    return found, True


def _hints(function: Any) -> dict[str, Any]:
    """The parameters' types; none where they name what is imported for type checkers only."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return {}


def _check_value(path: str, value: Any, hint: Any) -> None:
    """Hold a plain value against its type; what is itself built from the configuration is left to its own check."""
    if hint is Any or _is_built(value):
        return
    plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    if isinstance(plain, Mapping) and not plain:
        return  # a group left empty, such as logger=none
    try:
        options = ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True)
        adapter = TypeAdapter(hint, config=options)
    except (PydanticSchemaGenerationError, PydanticUserError):
        try:
            adapter = TypeAdapter(hint)
        except (PydanticSchemaGenerationError, PydanticUserError):
            return  # a type that only Python can check
    try:
        adapter.validate_python(plain)
    except ValidationError as error:
        reason = error.errors()[0]["msg"][0].lower() + error.errors()[0]["msg"][1:]
        reason = reason.replace("an instance of Sequence", "a list such as [a,b]")
        raise ConfigurationError(f"{path}={plain!r}: {reason}.") from error


def _is_built(value: Any) -> bool:
    return next(_targets(value, ""), None) is not None


def saved_config(ckpt: str | Path) -> dict[str, Any] | None:
    """Return the configuration of the run that wrote a checkpoint, from its folder or the one above; None without."""
    path = Path(ckpt)
    for folder in (path.parent, path.parent.parent):
        if (folder / "config.yaml").is_file():
            return _as_now(OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")))
    return None


class RunFolder(ExitStack):
    """The folder of a command, which no other run takes from the first `hold` or `begin` to the end of the block.

    Args:
        cfg: of the command, for config.yaml.
        out: the folder.
    """

    def __init__(self, cfg: DictConfig, out: Path) -> None:
        super().__init__()
        self.cfg, self.out, self.is_held = cfg, out, False

    def hold(self) -> None:
        """Keep the folder for this run; raises ValueError where another run has it."""
        if not self.is_held:
            self.enter_context(held(self.out))
            self.is_held = True

    def begin(self) -> None:
        """Hold the folder, then write config.yaml there, where `saved_config` finds it."""
        self.hold()
        with replacing(self.out / "config.yaml") as part:
            part.write_text(OmegaConf.to_yaml(self.cfg, resolve=True))


def _as_now(node: Any) -> Any:
    """A saved configuration with the names that its targets have in this version."""
    if isinstance(node, dict):
        return {key: MOVED.get(each, each) if key == "_target_" else _as_now(each) for key, each in node.items()}
    return [_as_now(each) for each in node] if isinstance(node, list) else node


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
        if not Path(cfg.ckpt).is_file():  # one of several: the others are looked for before torch is imported
            raise ConfigurationError(no_file("ckpt", "a checkpoint file", cfg.ckpt))
        given = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
        chosen = {one.key_or_group for one in given}
        saved = saved_config(cfg.ckpt)
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
    """The command's configuration with these overrides; a search path that it gave leads to the user's own choices."""
    name, given = HydraConfig.get().job.config_name, HydraConfig.get().overrides.hydra
    overrides = [*(one for one in given if one.lstrip("+").startswith("hydra.searchpath")), *overrides]
    if GlobalHydra.instance().is_initialized():
        return compose(name, overrides)
    with initialize_config_module("unhans.conf", version_base="1.3"):  # in a worker of a sweep's launcher
        return compose(name, overrides)
