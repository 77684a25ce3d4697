"""What a worker does with a class."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from unhans.experiment.survey import ClassResult, worker


@pytest.fixture
def job(monkeypatch):
    """A job that lets the process that explains go first."""
    result = ClassResult(0, "ant", refused="too few")
    monkeypatch.setattr(worker, "_result", lambda job: result)
    monkeypatch.setattr(worker, "save_result", lambda *_: None)
    return SimpleNamespace(polite=True, files=None, key={}), result


def test_where_processes_cannot_be_nice_a_class_is_clustered_all_the_same(job, monkeypatch):
    """As on Windows."""
    monkeypatch.delattr(os, "nice", raising=False)
    assert worker.cluster_class(job[0]) == job[1]


@pytest.mark.parametrize(("before", "asked"), [(0, [0, worker.POLITENESS]), (5, [0])])
def test_a_polite_worker_is_nice_once(job, before, asked, monkeypatch):
    given = []
    monkeypatch.setattr(os, "nice", lambda step: given.append(step) or before, raising=False)
    assert worker.cluster_class(job[0]) == job[1]
    assert given == asked
