"""Jobs on worker processes: all come back, a dying worker loses nothing, an error stops everything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pool_jobs import count_and_fail, die_always, die_once, mark, square, wait_for

from unhans.experiment.survey import Parallel
from unhans.experiment.survey.executor import Pool
from unhans.terminal import ConfigurationError


def run(parallel, job, tasks):
    """Return results by task, and the tasks that were given up."""
    results, lost = {}, {}
    with Pool(parallel, job, results.__setitem__, lost.__setitem__) as pool:
        for task in tasks:
            pool.submit(task)
    return results, lost


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_job_is_done_once(jobs):
    results, lost = run(Parallel(n_jobs=jobs), square, range(20))
    assert results == {number: number**2 for number in range(20)}
    assert not lost


@pytest.fixture(params=["loky", "dask", "ray"])
def backend(request, monkeypatch):
    """Every backend that is there; the workers of a cluster find this module."""
    if request.param != "loky":
        pytest.importorskip({"dask": "distributed", "ray": "ray"}[request.param])
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        monkeypatch.setenv("PYTHONPATH", path)
    return request.param


def test_a_long_job_keeps_no_other_waiting(backend, tmp_path):
    """Two jobs handed in while the first is under way are done before it, one of them after the queue was empty."""
    order, folder = [], str(tmp_path)
    told = {1: tmp_path / "told1", 2: tmp_path / "told2"}

    def done(task, number):
        order.append(number)
        if number in told:
            told[number].touch()

    with Pool(Parallel(backend, n_jobs=2), mark, done, order.append) as pool:
        pool.submit((0, folder))
        assert wait_for(tmp_path / "begun0")
        for number in (1, 2):
            pool.submit((number, folder))
            wait_for(told[number], 20)
        (tmp_path / "end").touch()
    assert order == [1, 2, 0]


def test_an_error_that_a_job_raises_is_told_at_once(backend, tmp_path):
    results, lost = run(Parallel(backend, n_jobs=2), count_and_fail, [str(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 1
    assert not results
    assert isinstance(lost[str(tmp_path)], ImportError)
    assert "cupy" in str(lost[str(tmp_path)])


def test_a_worker_that_dies_loses_nothing(tmp_path):
    tasks = [(number, str(tmp_path)) for number in range(6)]
    results, lost = run(Parallel(n_jobs=2), die_once, tasks)
    assert sorted(results.values()) == list(range(6))
    assert (tmp_path / "died2").exists()
    assert not lost


def test_a_job_that_kills_its_worker_twice_is_given_up_and_the_others_are_done():
    results, lost = run(Parallel(n_jobs=2), die_always, range(4))
    assert results == {0: 0, 2: 2, 3: 3}
    assert list(lost) == [1]
    assert "Terminated" in type(lost[1]).__name__


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_callback_reaches_the_caller(jobs):
    def full(task, result):
        raise OSError(28, "No space left on device")

    def everything():
        with Pool(Parallel(n_jobs=jobs), square, full, full) as pool:
            for task in range(50):
                pool.submit(task)

    with pytest.raises(OSError, match="No space left"):
        everything()


def test_an_error_of_the_caller_ends_the_pool():
    done = {}

    def broken():
        with Pool(Parallel(n_jobs=2), square, done.__setitem__, done.__setitem__) as pool:
            pool.submit(3)
            raise KeyError("caller")

    with pytest.raises(KeyError):
        broken()
    assert set(done) <= {3}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"backend": "threads"}, "parallel.backend expects loky, ray or dask, got 'threads'"),
        ({"n_jobs": 0}, "parallel.n_jobs expects 1 or more, or null, got 0"),
        ({"address": "localhost:1"}, "parallel.address belongs to parallel.backend=ray or dask"),
    ],
)
def test_bad_options_are_one_sentence(options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Parallel(**options)
