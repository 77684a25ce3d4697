"""The two commands: train and analyze."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from unhans.experiment.run import keep_interrupts, sentence
from unhans.experiment.sweep import end_sweeps

FAILED, INTERRUPTED = 1, 130
SAID = (ValueError, OSError, ImportError, HydraException, OmegaConfBaseException)  # their message is for the user

Job = Callable[[DictConfig], Any]


def train() -> None:
    """Train a classifier and audit it while it trains."""
    _launch("train", _train)


def analyze() -> None:
    """Audit a trained model, every class of a data set."""
    _launch("analyze", _analyze)


def _train(cfg: DictConfig) -> Any:
    from unhans.experiment.train import train as run

    return run(cfg)


def _analyze(cfg: DictConfig) -> Any:
    from unhans.experiment import analyze as run

    return run(cfg)


def _launch(name: str, job: Job) -> None:
    """Run a job under Hydra; an error is one sentence, its trace is in the run's folder."""
    keep_interrupts()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come here instead of being printed by Hydra
    try:
        hydra.main(version_base="1.3", config_path="pkg://unhans.conf", config_name=name)(_explaining(name, job))()
    except Exception as error:
        _explain(name, error)
        sys.exit(FAILED)
    finally:
        end_sweeps()


def _explaining(name: str, job: Job) -> Job:
    """Return the job, explaining its own errors; in a sweep they are left to Hydra, which goes on with other jobs."""

    def explained(cfg: DictConfig) -> Any:
        try:
            return job(cfg)
        except KeyboardInterrupt:
            _say(f"[bold]Stopped.[/] What was finished is kept in {cfg.out}.")
            sys.exit(INTERRUPTED)
        except Exception as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            _explain(name, error)
            sys.exit(FAILED)
        finally:
            _forget_empty_folder()

    return explained


def _forget_empty_folder() -> None:
    """Remove the folder that Hydra made where nothing was put: it holds Hydra's own notes and an empty log."""
    folder = _folder()
    found = list(folder.iterdir()) if folder.is_dir() else []
    if found and all(path.name == ".hydra" or (path.suffix == ".log" and not path.stat().st_size) for path in found):
        shutil.rmtree(folder)


def _explain(name: str, error: Exception) -> None:
    """Print the sentence; the whole trace goes to a file, and to the terminal where the error is not the user's.

    What is wrong with the command itself needs no trace.
    """
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    from unhans.experiment.run import ConfigurationError

    trace = "".join(traceback.format_exception(error))
    if not isinstance(error, (*SAID, MisconfigurationException)):
        _say(trace, markup=False)
    _say("[bold red]error:[/] ", end="")
    _say(sentence(error, name, sys.argv[1:]), markup=False)
    if HydraConfig.initialized() and not isinstance(error, ConfigurationError):
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
