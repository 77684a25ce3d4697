"""The house rules: imports point down, one name is installed, nothing is left out of the wheel."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
FLOORS = ["cli", "experiment", "callbacks", "models", "data", "report", "store", "artifacts", "spray", "attribution", "lrp"]
PURE = {"artifacts", "spray", "attribution", "lrp"}
FRAMEWORKS = {"pytorch_lightning", "lightning", "hydra", "omegaconf", "wandb"}
SOURCES = sorted([*(ROOT / "src" / "unhans").rglob("*.py"), *(ROOT / "callbacks").rglob("*.py")])


def floor_of(path):
    return "callbacks" if path.is_relative_to(ROOT / "callbacks") else path.relative_to(ROOT / "src/unhans").parts[0][:]


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "unhans")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    here = floor_of(path).removesuffix(".py")
    if here == "__init__":
        return
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "unhans" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS.index(parts[1]) >= FLOORS.index(here), f"{here} imports {name}, which lies above it"
        if here in PURE:
            assert parts[0] not in FRAMEWORKS, f"{here} imports {name}; it holds pure functions"


def test_every_package_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {"unhans"} | {f"unhans.{path.parent.name}" for path in (ROOT / "src/unhans").glob("*/__init__.py")}
    assert set(settings["packages"]) == packages | {"unhans.callbacks", "unhans.conf"}


def test_top_level_is_what_was_agreed():
    tracked = {"conf", "src", "callbacks", "tests", "train.py", "analyze.py", "pyproject.toml", "README.md", "LICENSE"}
    made = {"outputs", "multirun", "build", "dist", "wandb", "uv.lock", "unhans.egg-info"}
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "__"))}
    assert tracked <= present
    assert present <= tracked | made
