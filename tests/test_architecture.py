"""The house rules: imports point down and go by faces of packages, folders stay small, the wheel holds everything."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[1]
FLOORS = (
    "cli", "api", "experiment", "callbacks", "harness", "models", "data", "report", "store", "repair", "clarc",
    "effects", "isolation", "artifacts", "spray", "attribution", "lrp", "stats", "class_names",
)  # fmt: skip
PURE = {"repair", "clarc", "effects", "isolation", "artifacts", "spray", "attribution", "lrp", "stats", "class_names"}
FRAMEWORKS = {"pytorch_lightning", "lightning", "hydra", "omegaconf", "wandb"}
MOST = 12  # modules of a folder
SOURCES = sorted([*(ROOT / "src" / "unhans").rglob("*.py"), *(ROOT / "callbacks").rglob("*.py")])


def module_of(path):
    """The dotted name by which a file is imported; a package's is that of its folder."""
    base = ROOT if path.is_relative_to(ROOT / "callbacks") else ROOT / "src" / "unhans"
    return ".".join(("unhans", *path.relative_to(base).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES}
PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def package_of(name):
    return name if name in PACKAGES else name.rpartition(".")[0]


def at_run_time(body):
    """Statements of a module that run when it is imported."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        for part in ("body", "orelse", "handlers") if isinstance(node, ast.If | ast.Try | ast.ExceptHandler) else ():
            yield from at_run_time(getattr(node, part, []))


def face_of(name):
    """The names that a package's `__init__` imports from its modules."""
    nodes = ast.parse(MODULES[name].read_text()).body
    return {alias.asname or alias.name for node in nodes if isinstance(node, ast.ImportFrom)
            and node.module.startswith("unhans") for alias in node.names}  # fmt: skip


FACES = {name: face_of(name) for name in PACKAGES}


def is_module(package, name):
    """Whether `from package import name` gives a module: a face may export a function called as its module."""
    return f"{package}.{name}" in MODULES and name not in FACES.get(package, ())


def imports_of(path, nodes=None):
    """The modules that a file imports; `from package import name` imports the package, but for a module's name."""
    for node in ast.walk(ast.parse(path.read_text())) if nodes is None else nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            modules = [alias.name for alias in node.names if is_module(node.module, alias.name)]
            yield from (f"{node.module}.{name}" for name in modules)
            if len(modules) < len(node.names):
                yield node.module


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    here = name.split(".")[1] if "." in name else None
    for other in imports_of(MODULES[name]):
        parts = other.split(".")
        if parts[0] == "unhans" and len(parts) > 1 and here and parts[1] != "conf":
            assert FLOORS.index(parts[1]) >= FLOORS.index(here), f"{name} imports {other}, which lies above it"
        if here in PURE:
            assert parts[0] not in FRAMEWORKS, f"{name} imports {other}; it holds pure functions"


@pytest.mark.parametrize("name", MODULES)
def test_other_packages_are_imported_by_their_faces(name):
    """Of another package its `__init__` alone; of an own one, or one around it, any module."""
    own = package_of(name)
    for other in imports_of(MODULES[name]):
        if other in MODULES and other not in PACKAGES and other.count(".") > 1:
            owner = package_of(other)
            inside = own == owner or own.startswith(f"{owner}.")
            assert inside or other in NAMESPACES, f"{name} imports {other}: {owner} exports what others may use"


NAMESPACES = {"unhans.lrp.tracing.aten"}  # names of operations, read as aten.NAME


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_face_exports_what_it_imports(name):
    tree = ast.parse(MODULES[name].read_text())
    (exported,) = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)] or [[]]
    assert name == "unhans" or set(exported) == FACES[name]
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("name", sorted(PACKAGES - {"unhans"}))
def test_folders_stay_small(name):
    modules = [each for each in MODULES if each not in PACKAGES and package_of(each) == name]
    assert len(modules) <= MOST


def test_no_two_modules_are_called_the_same():
    names = Counter(name.rpartition(".")[2] for name in MODULES if name not in PACKAGES)
    assert [name for name, count in names.items() if count > 1] == []


def test_there_is_no_circle_of_imports():
    below = {name: set(imports_of(path, at_run_time(ast.parse(path.read_text()).body))) & set(MODULES)
             for name, path in MODULES.items()}  # fmt: skip
    left = dict(below)
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    assert left == {}


def test_every_package_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(settings["packages"]) == PACKAGES | {"unhans.conf"}


def test_top_level_is_what_was_agreed():
    tracked = {"conf", "src", "callbacks", "tests", "train.py", "analyze.py", "pyproject.toml", "README.md", "LICENSE"}
    tracked |= {"CONTRIBUTING.md", "CHANGELOG.md"}
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
