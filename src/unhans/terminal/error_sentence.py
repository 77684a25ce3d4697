"""One sentence for every error that a command can meet."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

NO_KEY = re.compile(r"Could not override '([^']+)'")
NO_OPTION = re.compile(r"Could not find '([^']+)/([^'/]+)'\s+Available options in '[^']+':\s*(.*)", re.DOTALL)


class ConfigurationError(ValueError):
    """Something in the configuration cannot work; the message is one sentence."""


def sentence(error: Exception, config_name: str, given: Sequence[str] = ()) -> str:
    """Return what went wrong in one sentence, naming the thing, what was expected and what was got.

    given: the words of the command line, whose choices decide which options there are.
    """
    text = str(error).strip()
    if isinstance(error, OverrideParseException):
        return f"{error.override} is no key=value: a value that holds = or a comma needs quotes, as in \"key='a=b'\"."
    if isinstance(error, HydraException):
        return _of_hydra(text, config_name, given)
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return text or type(error).__name__


def no_file(key: str, what: str, path: str | Path) -> str:
    """Return a sentence about a path that is no file, with the run's last checkpoint where its folder was given."""
    if not Path(path).expanduser().is_dir():
        return f"{key} expects {what}, but {path} does not exist."
    last = [Path(path) / each for each in ("checkpoints/last.ckpt", "last.ckpt")]
    instead = next((f"; did you mean {each}?" for each in last if each.expanduser().is_file()), ".")
    return f"{key} expects {what}, but {path} is a folder{instead}"


def _of_hydra(text: str, config_name: str, given: Sequence[str]) -> str:
    """Hydra's message without its internals, with a near name where one was misspelt."""
    if key := NO_KEY.search(text):
        return _unknown_key(key[1], config_name, given)
    if option := NO_OPTION.search(text):
        group, name, found = option[1], option[2], option[3].split("Config search")[0].split()
        choices = [each for each in found if not each.startswith(("_", "unhans"))]  # parts of others, old words
        return f"{group}={name} is no choice ({group} is one of {', '.join(choices)}){near(name, choices)}"
    return text.split("\n")[0]


def _unknown_key(key: str, config_name: str, given: Sequence[str]) -> str:
    """Look the key's neighbours up in the configuration that the other words of the command line make."""
    cfg = _compose(config_name, [word for word in given if "=" in word and word.partition("=")[0] != key])
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent, throw_on_missing=False, throw_on_resolution_failure=False) if parent else cfg
    known = [str(option) for option in node if not str(option).startswith("_")] if isinstance(node, DictConfig) else []
    groups = [] if parent else sorted(each.name for each in files("unhans.conf").iterdir() if each.is_dir())
    if name in groups:
        return f"{key} is no option of {config_name}.py, but of the other command."
    if parent and node is None and any(word.startswith(("ckpt=", "ckpts=")) for word in given):
        return f"{key} is not an option unless {parent}=… is given; in that of the checkpoint's run it is +{key}=…"
    takes = f" ({parent or 'the configuration'} has {', '.join(known)})" if known else ""
    return f"{key} is not an option{takes}{near(name, [*known, *(each for each in groups if each[0] != '_')])}"


def _compose(config_name: str, overrides: list[str]) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_module("unhans.conf", version_base="1.3"):
        try:
            return compose(config_name, overrides)
        except HydraException:  # another word is wrong, too
            return compose(config_name)


def near(name: str, known: Iterable[str], otherwise: str = ".") -> str:
    """Return the end of a sentence about an unknown name: a known one that is near, or something else."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else otherwise
