"""Checking a configuration against the signatures of what it configures, before any work starts."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

SPECIAL = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")


class ConfigurationError(ValueError):
    """Something in the configuration cannot work; the message is one sentence."""


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
            near = difflib.get_close_matches(key, parameters, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it takes {', '.join(parameters)}."
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
        return typing.get_type_hints(function)
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
        raise ConfigurationError(f"{path}={plain!r}: {reason}.") from error


def _is_built(value: Any) -> bool:
    return next(_targets(value, ""), None) is not None
