"""Fixtures of all tests."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = ("test_readme.py", "commands", "callbacks")  # a file and folders
COMPILED = {"test_spray_estimator.py"}  # UMAP
RAY = {"test_parallel.py", "test_readme.py"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET_WANDB = {"WANDB_X_SAVE_REQUIREMENTS": "false", "WANDB_X_DISABLE_STATS": "true"}  # what no test reads
OFFLINE = ["--no-sandbox", "--use-gl=swiftshader", "--disable-background-networking", "--disable-component-update"]


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled modules for the session where nothing keeps them: many tests start processes that import torch."""
    for name, value in QUIET_WANDB.items():
        os.environ.setdefault(name, value)
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the cores
    if not sys.dont_write_bytecode:
        return
    folder = tempfile.mkdtemp(prefix="unhans-bytecode-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    sys.dont_write_bytecode, sys.pycache_prefix = False, folder
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run first what takes longest: at the end one worker would be left with it."""
    items.sort(key=lambda item: (*(name not in item.path.parts for name in LONGEST), item.path.name not in COMPILED))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Import without searching for garbage, and leave what is imported out of every later search."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def alone_with_ray(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let one worker at a time start a Ray cluster: two on one machine disturb each other."""
    if "ray" not in request.node.name or request.node.path.name not in RAY:
        yield
        return
    with (tmp_path_factory.getbasetemp().parent / "ray.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real images and weights (UNHANS_TEST_DATA), or skip where it is absent."""
    folder = Path(os.environ.get("UNHANS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set UNHANS_TEST_DATA")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Return a Chromium; a test that asks for it skips where there is none.

    It is closed with its module: while it is open, its thread has a running event loop, in which neither a second
    browser nor asyncio.run can start.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=OFFLINE)
        yield chromium
        chromium.close()
