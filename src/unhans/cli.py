"""The two commands: train and analyze."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import hydra
from hydra import compose
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from unhans.experiment.sweep import end_sweeps
from unhans.terminal import ConfigurationError, keep_interrupts, no_file, sentence

LOG = logging.getLogger("unhans")
FAILED, INTERRUPTED = 1, 130
SAID = (ValueError, OSError, ImportError, HydraException, OmegaConfBaseException)  # their message is for the user

SAID_BY_NAME = {"MisconfigurationException"}  # Lightning's: importing it would take longer than most errors

OLD = "unhans"  # what these choices were called until 0.1
RENAMED = {"analysis": "repair", "callbacks": "closed_loop", "experiment": "augment"}

_TABLES, _PICTURES = ("data.exclude", "analysis.suspects", "analysis.members"), ("artifact.file", "analysis.mask")
WORDS = {"spray.n_neighbors": ("log",)}  # that stand in place of a number
FILES = {"ckpt": "a checkpoint file", "data.path": "an .npz archive"}  # that must be there
FILES |= dict.fromkeys(_TABLES, "a table such as suspects.csv") | dict.fromkeys(_PICTURES, "a picture file")

Job = Callable[[DictConfig], Any]


def train() -> None:
    """Train a classifier and audit it while it trains."""
    _launch("train", lambda cfg: import_module("unhans.experiment.train").train(cfg))


def analyze() -> None:
    """Audit a trained model, every class of a data set."""
    _launch("analyze", lambda cfg: import_module("unhans.experiment.analyses").analyze(cfg))


def _launch(name: str, job: Job) -> None:
    """Run a job under Hydra; an error is one sentence, its trace is in the run's folder."""
    keep_interrupts()
    if not {"--help", "-h"} & set(sys.argv):
        take_old_words()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come here instead of being printed by Hydra
    try:
        hydra.main(version_base="1.3", config_path="pkg://unhans.conf", config_name=name)(_explaining(name, job))()
    except Exception as error:
        _explain(name, error)
        sys.exit(FAILED)
    finally:
        end_sweeps()


def take_old_words() -> None:
    """Make choices known by their old words as well, on the command line and in anybody's own configuration files."""
    for group, choice in RENAMED.items():
        package = "_global_" if group == "experiment" else None
        ConfigStore.instance().store(OLD, {"defaults": [choice]}, group=group, package=package)


def tell_old_words(choices: Mapping[str, Any]) -> None:
    """Log what the choices are called now that were made by their old words; choices: by group."""
    for group, new in RENAMED.items():
        if choices.get(group) == OLD:
            LOG.warning(
                "%s=%s is now called %s=%s; the next release no longer knows the old word.", group, OLD, group, new
            )


def check_values(cfg: DictConfig, overrides: Sequence[str], name: str) -> None:
    """Refuse, before torch is imported, files that do not exist and words in place of numbers.

    Args:
        cfg: of the command.
        overrides: its words, whose keys are looked up in the configuration without them.
        name: of the primary configuration.

    Raises:
        ConfigurationError: with the first of them.
    """
    for key, what in FILES.items():
        path = OmegaConf.select(cfg, key, throw_on_resolution_failure=False)
        if isinstance(path, str) and not Path(path).expanduser().is_file():
            raise ConfigurationError(no_file(key, what, path))
    root = OmegaConf.select(cfg, "data.root", throw_on_resolution_failure=False)
    if isinstance(root, str) and "download" not in cfg.data and not Path(root).expanduser().is_dir():
        raise ConfigurationError(f"data.root expects a folder, but {root} does not exist.")
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    values = [one for one in parsed if "." in one.key_or_group and not one.key_or_group.startswith("trainer.")]
    words = [one for one in values if isinstance(one.value(), str) and "${" not in one.input_line]
    if words and GlobalHydra.instance().is_initialized():
        try:
            default = compose(name, [one.input_line for one in parsed if one not in words])
        except HydraException:  # as where an override names a search path
            return
        for one in words:
            number = OmegaConf.select(default, one.key_or_group, throw_on_resolution_failure=False)
            if one.value() in WORDS.get(one.key_or_group, ()):
                continue
            if isinstance(number, int | float) and not isinstance(number, bool):
                raise ConfigurationError(f"{one.key_or_group} expects a number such as {number}, got {one.value()!r}.")


def _explaining(name: str, job: Job) -> Job:
    """Return the job, explaining its own errors; in a sweep they are left to Hydra, which goes on with other jobs."""

    def explained(cfg: DictConfig) -> Any:
        hydra_cfg = HydraConfig.get()
        tell_old_words(hydra_cfg.runtime.choices)
        try:
            check_values(cfg, hydra_cfg.overrides.task, name)
            return job(cfg)
        except KeyboardInterrupt:
            _say(f"[bold]Stopped.[/] What was finished is kept in {cfg.out}.{_how_to_go_on(name, Path(cfg.out))}")
            sys.exit(INTERRUPTED)
        except Exception as error:
            if isinstance(error, ConfigurationError):
                _forget_folder(with_log=True)
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            _explain(name, error)
            sys.exit(FAILED)
        finally:
            _forget_folder()

    return explained


def _how_to_go_on(name: str, out: Path) -> str:
    last = out / "checkpoints" / "last.ckpt"
    if name == "analyze" or (out / "models").is_dir():  # a set of models
        return f" Go on with the same command and out={out}"
    return f" Go on with train.py ckpt={last}" if last.is_file() else ""


def _forget_folder(with_log: bool = False) -> None:
    """Remove the folder that Hydra made, and an empty one around it, where it holds Hydra's own notes alone.

    with_log: also where there is a log that is not empty, as of a command that was refused.
    """
    folder = _folder()
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    log = folder / f"{HydraConfig.get().job.name}.log"
    empty = with_log or not log.is_file() or not log.stat().st_size
    if ".hydra" in found and found <= {".hydra", log.name} and empty:
        shutil.rmtree(folder)
        with suppress(OSError):  # it holds other runs
            folder.parent.rmdir()


def _explain(name: str, error: Exception) -> None:
    """Print the sentence; the whole trace goes to a file, and to the terminal where the error is not the user's.

    What is wrong with the command itself needs no trace.
    """
    trace = "".join(traceback.format_exception(error))
    if not isinstance(error, SAID) and type(error).__name__ not in SAID_BY_NAME:
        _say(trace, markup=False)
    _say("[bold red]error:[/] ", end="")
    _say(sentence(error, name, sys.argv[1:]), markup=False)
    has_folder = HydraConfig.initialized() and not OmegaConf.is_missing(HydraConfig.get().runtime, "output_dir")
    if has_folder and not isinstance(error, ConfigurationError):
        _keep(trace)


def _keep(trace: str) -> None:
    """Write the trace beside the run's other files, unless that folder is the error."""
    path = _folder() / "error.log"
    try:
        path.write_text(trace)
    except OSError as error:
        _say(f"(the trace could not be written to {path}: {error.strerror})", style="dim")
    else:
        _say(f"(the whole trace is in {path})", style="dim")


def _folder() -> Path:
    return Path(HydraConfig.get().runtime.output_dir)


def _say(text: str, **options: Any) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(text, **options)
