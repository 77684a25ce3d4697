"""Class jobs on processes, Ray and Dask, and whole sweeps on Hydra's launchers: the same ranking everywhere."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from running import RANDOM, command

ROOT = Path(__file__).parents[2]
DIGITS = f"data=digits artifact=none {RANDOM} data.classes=[1,2,3] samples_per_class=14 spray.projection=null"


def ranking(out):
    with (out / "ranking.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The ranking of one process."""
    folder = tmp_path_factory.mktemp("alone")
    assert command(folder, f"analyze.py {DIGITS} parallel.n_jobs=1 out=out") == 0
    return ranking(folder / "out")


def test_processes_find_the_same(alone, tmp_path):
    assert command(tmp_path, f"analyze.py {DIGITS} parallel.n_jobs=2 out=out") == 0
    assert ranking(tmp_path / "out") == alone


def test_dask_finds_the_same(alone, tmp_path):
    pytest.importorskip("distributed")
    assert command(tmp_path, f"analyze.py {DIGITS} parallel.backend=dask parallel.n_jobs=2 out=out") == 0
    assert ranking(tmp_path / "out") == alone


@pytest.fixture
def two_nodes():
    """A Ray cluster of two nodes on this machine, and its second node."""
    pytest.importorskip("ray")
    import ray
    from ray.cluster_utils import Cluster

    # workers do not inherit the path of this process
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster, second
    ray.shutdown()
    cluster.shutdown()


def test_two_ray_nodes_find_the_same(alone, tmp_path, two_nodes):
    cluster, _ = two_nodes
    text = f"analyze.py {DIGITS} parallel.backend=ray parallel.address={cluster.address} out=out"
    assert command(tmp_path, text) == 0
    assert ranking(tmp_path / "out") == alone


def test_a_ray_node_that_is_killed_loses_nothing(alone, tmp_path, two_nodes):
    cluster, second = two_nodes
    killed = []

    def kill_during_the_run():
        while not list((tmp_path / "out").glob("classes/*/attribution.h5")):
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)
        killed.append(second)

    killer = threading.Thread(target=kill_during_the_run, daemon=True)
    killer.start()
    text = f"analyze.py {DIGITS} parallel.backend=ray parallel.address={cluster.address} out=out"
    assert command(tmp_path, text) == 0
    killer.join(1)
    assert killed
    assert ranking(tmp_path / "out") == alone


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_run_a_sweep(launcher, tmp_path):
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.split('_')[0]}_launcher")
    text = f"-m {DIGITS} hydra/launcher={launcher} spray.n_neighbors=8,9 hydra.sweep.dir=sweep parallel.n_jobs=1"
    done = subprocess.run(
        [sys.executable, ROOT / "analyze.py", *text.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.parent.name for path in (tmp_path / "sweep").glob("*/ranking.csv")) == ["0", "1"]


def test_a_missing_cluster_is_one_sentence(tmp_path, capsys):
    pytest.importorskip("distributed")
    import dask

    text = f"analyze.py {DIGITS} parallel.backend=dask parallel.address=127.0.0.1:1 out=out"
    with dask.config.set({"distributed.comm.timeouts.connect": "2s"}):  # it would wait for 30
        assert command(tmp_path, text) == 1
    assert "no Dask scheduler answers at parallel.address=127.0.0.1:1" in capsys.readouterr().err
