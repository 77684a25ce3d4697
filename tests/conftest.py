"""Fixtures of all tests."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RAY = {"test_parallel.py", "test_readme.py"}  # two Ray clusters on one machine disturb each other


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled modules for the session where nothing keeps them: many tests start processes that import torch."""
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers share the cores
    if not sys.dont_write_bytecode:
        return
    folder = tempfile.mkdtemp(prefix="unhans-bytecode-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    sys.dont_write_bytecode, sys.pycache_prefix = False, folder
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one worker, where they share their fixtures."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if item.path.name in RAY else item.path.stem))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real images and weights (UNHANS_TEST_DATA), or skip where it is absent."""
    folder = Path(os.environ.get("UNHANS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set UNHANS_TEST_DATA")
    return folder
