"""The house rules: imports point down, one name is installed, nothing is left out of the wheel."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
FLOORS = [
    "cli",
    "experiment",
    "callbacks",
    "models",
    "data",
    "report",
    "store",
    "clarc",
    "artifacts",
    "spray",
    "attribution",
    "lrp",
]
PURE = {"clarc", "artifacts", "spray", "attribution", "lrp"}
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


def test_only_the_front_door_looks_upstairs():
    upward = [
        path.relative_to(ROOT / "src/unhans").as_posix()
        for path in SOURCES
        if floor_of(path) in PURE and "import_module(" in path.read_text()
    ]
    assert upward == ["spray/__init__.py"]  # unhans.spray.audit, imported when it is asked for


def test_every_package_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    inits = (path.parent.relative_to(ROOT / "src/unhans") for path in (ROOT / "src/unhans").rglob("__init__.py"))
    packages = {".".join(("unhans", *path.parts)) for path in inits}
    assert set(settings["packages"]) == packages | {"unhans.callbacks", "unhans.conf"}


def test_top_level_is_what_was_agreed():
    tracked = {"conf", "src", "callbacks", "tests", "train.py", "analyze.py", "pyproject.toml", "README.md", "LICENSE"}
    made = {"outputs", "multirun", "build", "dist", "wandb", "uv.lock", "unhans.egg-info"}
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "__"))}
    assert tracked <= present
    assert present <= tracked | made


def test_the_wheel_installs_one_name_and_carries_the_configuration(tmp_path):
    build_meta = pytest.importorskip("setuptools.build_meta")
    for name in ("src", "callbacks", "conf", "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        target = tmp_path / "copy" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    script = f"import setuptools.build_meta as b; b.build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path / "copy", check=True, capture_output=True)
    assert build_meta
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"unhans", "unhans-0.1.0.dist-info"}
    configuration = {f"unhans/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    modules = {f"unhans/{path.relative_to(ROOT / 'src/unhans')}" for path in (ROOT / "src/unhans").rglob("*.py")}
    callbacks = {f"unhans/{path.relative_to(ROOT)}" for path in (ROOT / "callbacks").rglob("*.py")}
    page = {f"unhans/report/html/{path.name}" for path in (ROOT / "src/unhans/report/html").glob("*.[chj]*")}
    assert page
    assert configuration | modules | callbacks | page | {"unhans/py.typed"} <= set(names)
