"""Class jobs on worker processes, of this machine or of a cluster, while the caller goes on explaining."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import joblib

from unhans.terminal import ConfigurationError

IDLE = 300  # seconds after which a process that has nothing to do ends: starting one imports torch again
THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")  # libraries that start threads of their own

Job = Callable[[Any], Any]


@dataclass(frozen=True)
class Workers:
    """What runs jobs.

    Attributes:
        submit: begins a job with a task.
        size: says how many run at once; of a cluster that grows, more later.
    """

    submit: Callable[[Job, Any], Future]
    size: Callable[[], int]


@dataclass(frozen=True)
class Parallel:
    """Where class jobs run.

    Args:
        backend: "loky", processes of this machine; "ray" or "dask", a cluster whose machines share the run's folder.
        n_jobs: jobs at once; None is one per core, 1 runs them in this process.
        address: of the Ray cluster or the Dask scheduler; None starts one on this machine.

    Raises:
        ConfigurationError: an unknown backend, a number of jobs below 1, or an address of none.
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
    def here(self) -> bool:
        """Whether jobs run in this process."""
        return self.n_jobs == 1

    @property
    def elsewhere(self) -> bool:
        """Whether jobs run on other processes of this machine, whose cores they share with this one."""
        return self.backend == "loky" and not self.here

    def at_most(self, jobs: int) -> Parallel:
        """Return the same for fewer jobs in all; one alone needs no other process."""
        return replace(self, n_jobs=1) if jobs == 1 else self

    def connect(self) -> AbstractContextManager[Workers]:
        """Connect to the cluster, or start one on this machine, until the context ends.

        Raises:
            ConfigurationError: the library is missing or nobody answers at the address.
        """
        return {"loky": _on_processes, "ray": _on_ray, "dask": _on_dask}[self.backend](self)


@dataclass(frozen=True)
class _Attempt:
    """A task to do; alone: while nothing else runs, since it was under way when a worker died."""

    task: Any
    alone: bool = False


class Pool:
    """Runs jobs as they are handed in; results come back in the order in which they are done.

    Jobs that were under way when a process died are done again, each by itself, and given up when that kills one once
    more. Ray and Dask do that themselves.

    Args:
        parallel: where.
        job: a function that pickles; it should return its errors.
        done: called with a task and its result, in another thread than the caller's.
        given_up: called likewise with a task and why it has no result: the error that the job raised, or a
            `BrokenExecutor` where it kills its worker.
    """

    def __init__(
        self,
        parallel: Parallel,
        job: Job,
        done: Callable[[Any, Any], None],
        given_up: Callable[[Any, BaseException], None],
    ) -> None:
        self.parallel, self.job, self.done, self.given_up = parallel, job, done, given_up
        self._events: queue.SimpleQueue[_Attempt | Future | None] = queue.SimpleQueue()  # None: no more tasks
        self._waiting: deque[_Attempt] = deque()
        self._under_way: dict[Future, _Attempt] = {}
        self._error: BaseException | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="class jobs", daemon=True)

    def __enter__(self) -> Pool:
        if not self.parallel.here:
            self._connection = self.parallel.connect()
            self._workers = self._connection.__enter__()
            self._thread.start()
        return self

    def submit(self, task: Any) -> None:
        """Hand in a job; raises what a callback raised before."""
        if self.parallel.here:
            self.done(task, self.job(task))
            return
        self._check()
        self._events.put(_Attempt(task))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Wait for all jobs; after an exception of the caller only for those under way."""
        if self.parallel.here:
            return
        if kind is not None:
            self._stopped.set()
        self._events.put(None)
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

    def _serve(self) -> None:
        """Begin jobs as workers are free and hand on what is done, until no more is to come."""
        more = True
        try:
            while more or self._waiting or self._under_way:
                event = self._events.get()
                if event is None:
                    more = False
                elif isinstance(event, Future):
                    self._conclude(event)
                else:
                    self._waiting.append(event)
                self._begin()
        except BaseException as error:
            self._error = error

    def _begin(self) -> None:
        if self._stopped.is_set():
            self._waiting.clear()
        while self._waiting and self._fits(self._waiting[0]):
            attempt = self._waiting.popleft()
            future = self._future(attempt.task)
            self._under_way[future] = attempt
            future.add_done_callback(self._events.put)

    def _fits(self, attempt: _Attempt) -> bool:
        """Whether it can begin now."""
        alone = attempt.alone or any(each.alone for each in self._under_way.values())
        return len(self._under_way) < (1 if alone else self._workers.size())

    def _future(self, task: Any) -> Future:
        try:
            return self._workers.submit(self.job, task)
        except BrokenExecutor as error:  # it broke a moment ago
            failed: Future = Future()
            failed.set_exception(error)
            return failed

    def _conclude(self, future: Future) -> None:
        """Hand a result on, or do a job once more; an error of the callbacks ends everything."""
        attempt = self._under_way.pop(future)
        try:
            result = future.result()
        except BrokenExecutor as error:
            if attempt.alone:
                self.given_up(attempt.task, error)
            else:
                self._waiting.appendleft(replace(attempt, alone=True))
        except (Exception, CancelledError) as error:
            self.given_up(attempt.task, error)
        else:
            self.done(attempt.task, result)


@lru_cache(maxsize=1)
def _executor(size: int, env: tuple[tuple[str, str], ...]) -> Executor:
    """The processes that are used again; not those of joblib's own calls, which expect another kind."""
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(size, timeout=IDLE, env=dict(env))


@contextmanager
def _on_processes(parallel: Parallel) -> Iterator[Workers]:
    """Processes of this machine, each with its share of the cores for threads of its own."""
    size = parallel.n_jobs or joblib.cpu_count()
    share = str(max(1, joblib.cpu_count() // size))
    names = (f"{library}_NUM_THREADS" for library in THREADS)
    env = tuple((name, os.environ.get(name, share)) for name in names)

    def submit(job: Job, task: Any) -> Future:
        try:
            return _executor(size, env).submit(job, task)
        except BrokenExecutor:  # by an earlier job
            _executor.cache_clear()
            return _executor(size, env).submit(job, task)

    yield Workers(submit, lambda: size)


@contextmanager
def _on_ray(parallel: Parallel) -> Iterator[Workers]:
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError("parallel.backend=ray needs Ray: pip install 'unhans[ray]'.") from error
    try:
        # without an address Ray would join any cluster that somebody runs on this machine
        context = ray.init(address=parallel.address or "local", log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigurationError(f"no Ray cluster answers at parallel.address={parallel.address}: {error}") from error
    run = ray.remote(_run)
    with context:
        yield Workers(
            lambda job, task: run.remote(job, task).future(),
            lambda: parallel.n_jobs or max(1, int(ray.cluster_resources().get("CPU", 1))),
        )


@contextmanager
def _on_dask(parallel: Parallel) -> Iterator[Workers]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigurationError("parallel.backend=dask needs Dask: pip install 'unhans[dask]'.") from error
    address, jobs = parallel.address, parallel.n_jobs
    try:
        client = Client(address) if address else Client(n_workers=jobs, threads_per_worker=1)
    except OSError as error:
        raise ConfigurationError(f"no Dask scheduler answers at parallel.address={address}: {error}") from error
    with client:
        yield Workers(client.get_executor(pure=False).submit, lambda: jobs or max(1, sum(client.nthreads().values())))


def _run(job: Job, task: Any) -> Any:
    return job(task)
