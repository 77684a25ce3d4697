"""Fixtures of all tests."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled modules for the session where nothing keeps them: many tests start processes that import torch."""
    if not sys.dont_write_bytecode:
        return
    folder = tempfile.mkdtemp(prefix="unhans-bytecode-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    sys.dont_write_bytecode, sys.pycache_prefix = False, folder
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real images and weights (UNHANS_TEST_DATA), or skip where it is absent."""
    folder = Path(os.environ.get("UNHANS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set UNHANS_TEST_DATA")
    return folder
