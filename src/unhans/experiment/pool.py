"""Class jobs on worker processes, through joblib's backends, while the caller goes on explaining."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import joblib

from unhans.experiment.check import ConfigurationError

PATIENCE = (0, 15, 45)  # seconds before a job of a dead worker is tried again; Ray misses a machine after some 30

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Parallel:
    """Where class jobs run.

    Args:
        backend: "loky", processes of this machine; "ray" or "dask", a cluster whose machines share the run's folder.
        n_jobs: jobs at once; None is one per core, 1 runs them in this process.
        address: of the Ray cluster or the Dask scheduler; None starts one on this machine.

    Raises ValueError for an unknown backend or a number of jobs below 1.
    """

    backend: Literal["loky", "ray", "dask"] = "loky"
    n_jobs: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.backend not in ("loky", "ray", "dask"):
            raise ConfigurationError(f"parallel.backend expects loky, ray or dask, got {self.backend!r}.")
        if self.n_jobs is not None and self.n_jobs < 1:
            raise ConfigurationError(f"parallel.n_jobs expects 1 or more, or null, got {self.n_jobs}.")
        if self.backend == "loky" and self.address is not None:
            raise ConfigurationError("parallel.address belongs to parallel.backend=ray or dask.")

    @property
    def jobs(self) -> int:
        """The number of jobs at once; −1 is all cores, of a cluster those of all its machines."""
        return -1 if self.n_jobs is None else self.n_jobs

    @property
    def elsewhere(self) -> bool:
        """Whether jobs run on other processes of this machine, whose cores they share with this one."""
        return self.backend == "loky" and self.jobs != 1

    def at_most(self, jobs: int) -> Parallel:
        """Return the same for fewer jobs in all; one alone needs no other process."""
        return replace(self, n_jobs=1) if jobs == 1 else self

    def connect(self) -> AbstractContextManager[Any]:
        """Connect to the cluster, or start one on this machine, until the context ends.

        Raises ConfigurationError where the library is missing or nobody answers at the address.
        """
        return {"loky": nullcontext, "ray": self._ray, "dask": self._dask}[self.backend]()

    def _ray(self) -> AbstractContextManager[Any]:
        try:
            import ray
            from ray.util.joblib.ray_backend import RayBackend
        except ImportError as error:
            raise ConfigurationError("parallel.backend=ray needs Ray: pip install 'unhans[ray]'.") from error
        # It inherits from a backend of processes that joblib keeps from streaming; Ray's own results do stream.
        streaming = type("StreamingRay", (RayBackend,), {"supports_return_generator": True})
        joblib.register_parallel_backend("ray", streaming)
        try:
            # without an address Ray would join any cluster that somebody runs on this machine
            return ray.init(address=self.address or "local", log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConfigurationError(f"no Ray cluster answers at parallel.address={self.address}: {error}") from error

    def _dask(self) -> AbstractContextManager[Any]:
        try:
            from distributed import Client
        except ImportError as error:
            raise ConfigurationError("parallel.backend=dask needs Dask: pip install 'unhans[dask]'.") from error
        try:
            return Client(self.address) if self.address else Client(n_workers=self.n_jobs, threads_per_worker=1)
        except OSError as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at parallel.address={self.address}: {error}"
            ) from error


class Pool(Generic[Task, Result]):
    """Runs jobs as they are handed in; results come back in the order in which they are done.

    joblib takes whatever waits when a worker is free, and starts anew when more is handed in after that. Jobs that were
    under way when a worker died are done again, each by itself, and given up when that kills a worker once more.

    Args:
        parallel: where.
        job: a function that pickles; it should return its errors, since one that is raised counts as a death.
        done: called with a task and its result, in another thread than the caller's.
        given_up: called with a task whose workers died, and why.
    """

    def __init__(
        self,
        parallel: Parallel,
        job: Callable[[Task], Result],
        done: Callable[[Task, Result], None],
        given_up: Callable[[Task, BaseException], None],
    ) -> None:
        self.parallel, self.job, self.done, self.given_up = parallel, job, done, given_up
        self._waiting: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="class jobs", daemon=True)

    def __enter__(self) -> Pool[Task, Result]:
        if self.parallel.jobs != 1:
            self._connection = self.parallel.connect()
            self._connection.__enter__()
            self._thread.start()
        return self

    def submit(self, task: Task) -> None:
        """Hand in a job; raises what a callback raised before."""
        if self.parallel.jobs == 1:
            self.done(task, self.job(task))
            return
        self._check()
        self._waiting.put(task)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Wait for all jobs; after an exception of the caller only for those under way."""
        if self.parallel.jobs == 1:
            return
        if kind is not None:
            self._stopped.set()
        self._waiting.put(None)
        try:
            while self._thread.is_alive():
                self._thread.join(0.2)  # a join without a limit would keep Ctrl-C waiting
        finally:
            self._stopped.set()
            self._connection.__exit__(None, None, None)
        if kind is None:
            self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (task := self._waiting.get()) is not None and not self._stopped.is_set():
                self._together(task)
        except BaseException as error:
            self._error = error

    def _together(self, first: Task) -> None:
        """Run a job and all that are handed in before the workers have nothing to do."""
        under_way = {0: first}
        try:
            for number, result in self._results(self._handed_in(first, under_way), self.parallel.jobs):
                self._tell(under_way.pop(number), result)
        except Exception:
            if self._error is not None:
                raise
            for task in list(under_way.values()):
                self._alone(task)

    def _alone(self, task: Task) -> None:
        """Run one job that was under way when a worker died; a cluster needs a while to see that a machine is gone."""
        local = self.parallel.backend == "loky"
        for wait in PATIENCE[:1] if local else PATIENCE:
            if self._stopped.wait(wait):
                return
            try:
                # with one job joblib would run it in this process, and die with it
                ((_, result),) = self._results(iter([(0, task)]), 2 if local else -1)
            except Exception as error:
                reason = error
            else:
                self._tell(task, result)
                return
        self.given_up(task, reason)

    def _tell(self, task: Task, result: Result) -> None:
        """Hand a result to the caller; an error there ends everything, unlike one of the workers."""
        try:
            self.done(task, result)
        except BaseException as error:
            self._error = error
            raise

    def _handed_in(self, first: Task, under_way: dict[int, Task]) -> Iterator[tuple[int, Task]]:
        """Give the first task and those that wait when they are asked for, numbered."""
        task: Task | None = first
        number = 0
        while task is not None and not self._stopped.is_set():
            under_way[number] = task
            yield number, task
            number += 1
            try:
                task = self._waiting.get_nowait()
            except queue.Empty:
                return
        if task is None:
            self._waiting.put(None)  # the end is for the thread to see

    def _results(self, tasks: Iterator[tuple[int, Task]], jobs: int) -> Iterator[tuple[int, Result]]:
        with joblib.parallel_config(self.parallel.backend):
            run = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
            yield from run(joblib.delayed(_numbered)(self.job, number, task) for number, task in tasks)


def _numbered(job: Callable[[Task], Result], number: int, task: Task) -> tuple[int, Result]:
    return number, job(task)
