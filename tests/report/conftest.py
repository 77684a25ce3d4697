"""Small audits and rankings to report on."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from unhans.spray import ClassAudit, Cluster, SpRAy


@pytest.fixture(scope="session")
def audit() -> ClassAudit:
    """Return 40 samples of class 1, of which the last 15 share a corner; label 1 has rank 2 in samples 0 and 30."""
    random = np.random.default_rng(0)
    maps = random.normal(size=(40, 8, 8)).astype(np.float32)
    maps[25:, 6:, 6:] += 20
    spray = SpRAy(n_clusters=[2], projection=None).fit(maps)
    spray.projection_ = random.normal(size=(40, 2))
    control = SpRAy(n_clusters=[2], projection=None).fit(random.normal(size=(40, 9)))
    prediction, rank = np.ones(40, np.int64), np.zeros(40, np.int64)
    prediction[[0, 30]], rank[[0, 30]] = 0, 2
    clusters = (
        Cluster("cut", 2, 1, np.arange(40) >= 25, 0.1, 0.8, 0.9, 0.7, 0.6, 0.45),
        Cluster("kmeans", 7, 2, np.arange(40) < 12, 0.7, 0.3, 0.3, 0.1, math.nan, 0.2),
    )
    return ClassAudit(1, "cats & $dogs$", np.arange(100, 140), maps, prediction, rank, spray, control, clusters)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Return an image for each of the audit's samples."""
    return np.random.default_rng(1).random((40, 3, 10, 10)).astype(np.float32)


@pytest.fixture
def suspicion():
    """Return a maker of a ranking's entries."""

    def make(label=0, name=None, lambda_2=0.3, suspicious=False, control=0.3, tau=1.0):
        control_tau = None if control is None else 1.5
        return SimpleNamespace(
            label=label, name=f"class {label}" if name is None else name, n=40, tau=tau, lambda_2=lambda_2, eigengap=2,
            score=1 / lambda_2, suspicious=suspicious, cluster_size=15,
            control_lambda_2=control, control_tau=control_tau, tau_clusters=8, exact_neighbours=True,
        )  # fmt: skip

    return make
