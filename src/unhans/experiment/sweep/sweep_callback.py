"""What a sweep leaves: one table and one picture of all its jobs, also of failed ones, and one group of runs in W&B."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console

from unhans.terminal import CONSOLE, ConfigurationError, near, sentence

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger, WandbLogger

FAILED = 1


def sweep_logger(
    project: str = "unhans",
    name: str | None = None,
    group: str | None = None,
    offline: bool = True,
    save_dir: str = ".",
    **settings: Any,
) -> WandbLogger:
    """Return a W&B logger; of a sweep's job with the values given to it as the run's configuration.

    A panel of parallel coordinates takes its axes from the configuration and from the summary, where `summarise` puts
    the results.

    Args:
        project, name: in W&B.
        group: of runs; None is the name of the sweep's folder, and no group for a single run.
        offline: keep the run on this machine.
        save_dir: the folder for it.
        settings: of `wandb.init`.
    """
    from unhans.experiment.sweep.sweep_summary import typed_values
    from unhans.report.loggers import wandb_logger

    if _in_sweep():
        job = HydraConfig.get()
        group = group or Path(job.sweep.dir).absolute().name
        settings["config"] = typed_values(job.overrides.task) | settings.get("config", {})
    return wandb_logger(project, name, group, offline, save_dir, **settings)


def summarise(logger: Logger | None, numbers: Mapping[str, float]) -> None:
    """Put a run's results into its W&B summary; other loggers have none."""
    from pytorch_lightning.loggers import WandbLogger

    if isinstance(logger, WandbLogger):
        logger.experiment.summary.update(dict(numbers))


def _in_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


_open: list[Path] = []  # folders of sweeps that began in this process and have not ended


class SweepSummary(Callback):
    """Hydra's callback that writes `summary.csv` and `parallel.png` into a sweep's folder and prints the table.

    Every job leaves a note in `jobs/` there, wherever it runs, and brings the table up to date when it ends. Where
    `objective` names numbers that the job returned, these take their place, as sweepers such as Optuna need it.
    Single runs are left alone.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse an optimisation of nothing, and forget the notes of an earlier sweep in the same folder."""
        from unhans.experiment.sweep.sweep_summary import forget_notes, together_said

        if "optuna" in str(OmegaConf.select(config, "hydra.sweeper._target_")) and _objective(config) is None:
            _refuse("hydra/sweeper=optuna needs the number that it optimises; give it as objective=val/accuracy.")
        if said := together_said(config.hydra.overrides.task):
            CONSOLE.print(said)
        folder = Path(config.hydra.sweep.dir).absolute()
        forget_notes(folder)
        _open[:] = [folder]

    def on_job_start(self, config: DictConfig, *, task_function: TaskFunction, **kwargs: Any) -> None:
        """Note that a job begins: one that is killed stays in the table as not finished."""
        if config.hydra.mode == RunMode.MULTIRUN:
            self._began = time.monotonic()
            self._note(config, "unfinished")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Note what a job returned, or why it failed, and put its objective in the place of what it returned."""
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        value, seconds = job_return._return_value, time.monotonic() - self._began
        if job_return.status == JobStatus.FAILED:
            reason = sentence(value, config.hydra.job.config_name)
            self._note(config, "failed", reason=reason, seconds=seconds)
            _keep_trace(Path(config.hydra.runtime.output_dir), value)
            return
        numbers = {name: float(number) for name, number in (value or {}).items()}
        self._note(config, "finished", numbers=numbers, seconds=seconds)
        if (objective := _objective(config)) is not None:
            _choose(job_return, numbers, objective)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print what all jobs led to."""
        end_sweeps()

    def _note(self, config: DictConfig, status: str, **found: Any) -> None:
        from unhans.experiment.sweep.sweep_summary import Note, add_note

        hydra = config.hydra
        add_note(
            Path(hydra.sweep.dir).absolute(),
            Note(
                job=int(hydra.job.num),
                overrides=tuple(hydra.overrides.task),
                status=status,
                folder=str(hydra.runtime.output_dir),
                objective=_names(_objective(config)),
                minimize=_minimized(OmegaConf.select(hydra, "sweeper.direction")),
                **found,
            ),
        )


def end_sweeps() -> None:
    """Write and print the table of a sweep that has not ended: where a job failed Hydra does not tell callbacks."""
    while _open:
        from unhans.experiment.sweep.sweep_summary import conclude

        conclude(_open.pop())


def objective_of(numbers: dict[str, float], objective: str | list[str]) -> float | list[float]:
    """Return the numbers that are optimised; one name gives one number.

    Raises:
        ConfigurationError: a name is not among them.
    """
    for name in _names(objective):
        if name not in numbers:
            which = f"this job, which has {', '.join(numbers) or 'none'}{near(name, numbers)}"
            raise ConfigurationError(f"objective={name} is no number of {which}")
    chosen = [numbers[name] for name in _names(objective)]
    return chosen[0] if isinstance(objective, str) else chosen


def _choose(job_return: JobReturn, numbers: dict[str, float], objective: Any) -> None:
    try:
        job_return.return_value = objective_of(numbers, objective)
    except ConfigurationError as error:  # Hydra raises it once all jobs are done, whose results stay
        job_return.return_value, job_return.status = error, JobStatus.FAILED


def _objective(config: DictConfig) -> Any:
    return OmegaConf.select(config, "objective")


def _names(objective: Any) -> tuple[str, ...]:
    if objective is None:
        return ()
    return (objective,) if isinstance(objective, str) else tuple(map(str, objective))


def _minimized(direction: Any) -> bool | None:
    """Tell whether the first direction of a sweeper is downwards; None of one without directions."""
    first = direction[0] if isinstance(direction, ListConfig) and direction else direction
    return None if first is None else str(getattr(first, "name", first)) == "minimize"


def _keep_trace(folder: Path, error: BaseException) -> None:
    """Write a failed job's trace beside its other files: only the first failure of a sweep is raised."""
    if not isinstance(error, ConfigurationError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.log").write_text("".join(traceback.format_exception(error)), encoding="utf-8")


def _refuse(text: str) -> None:
    """End the command: Hydra turns what a callback raises into warnings, but for this."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {text}")
    raise SystemExit(FAILED)
