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
    "faithfulness", "comparison", "effects", "isolation", "artifacts", "influence", "spray", "attribution", "lrp",
    "stats", "class_names", "terminal",
)  # fmt: skip
PURE = set(FLOORS[FLOORS.index("repair") : FLOORS.index("terminal")])
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


NO_ENGLISH = {
    "artifacts", "attribution", "clarc", "data", "effects", "faithfulness", "harness", "isolation", "lrp", "models",
    "repair", "spray", "stats",
}  # fmt: skip
WORDS = 4  # from which on a text is English, not a name; what is found is said in report and terminal
# What a thing calls itself: a method of heatmaps, also one of the user's own, says what its maps mean (law 7), and
# maps that are kept in files are told apart by it; a representation is what a console prints.
NAMING = {"description", "meaning", "name", "__repr__", "extra_repr"}


def text_of(node):
    """The text of a string or an f-string, a word for each value in it; None for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def may_speak(node):
    """Whether English may stand inside: of exceptions, warnings, logs and the console, of names, and in patterns."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name.startswith(("LOG.", "_log.", "warnings.warn", "re.", "CONSOLE.print", "setting")) or name.endswith(
            "Error"
        )
    if isinstance(node, ast.FunctionDef | ast.Assign):
        return {node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node.targets[0])} <= NAMING
    if isinstance(node, ast.Compare):  # with what another library says
        return True
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and text_of(node.value) is not None)


def codes_of(tree):
    """The values of every Literal: names of outcomes, which may be long."""
    every = [node for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
    found = [node.slice for node in every if ast.unparse(node.value) == "Literal"]
    return {each.value for part in found for each in ast.walk(part) if isinstance(each, ast.Constant)}


def english_of(node):
    for child in ast.iter_child_nodes(node):
        text = text_of(child)
        if text is not None:
            yield from [text] if len(text.split()) >= WORDS else []
        elif not may_speak(child):
            yield from english_of(child)


SILENT = {name: ast.parse(path.read_text()) for name, path in MODULES.items() if {*name.split(".")[1:2]} & NO_ENGLISH}
CODES = set().union(*map(codes_of, SILENT.values()))


@pytest.mark.parametrize("name", SILENT)
def test_results_are_data_and_their_english_is_in_report(name):
    assert [text for text in english_of(SILENT[name]) if text not in CODES] == []


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


def test_no_two_test_files_are_called_the_same():
    """pytest imports test files by their own name, and refuses the second of one name."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_there_is_no_circle_of_imports():
    below = {name: set(imports_of(path, at_run_time(ast.parse(path.read_text()).body))) & set(MODULES)
             for name, path in MODULES.items()}  # fmt: skip
    left = dict(below)
    while free := [name for name, others in left.items() if not others & set(left)]:
        for name in free:
            del left[name]
    assert left == {}


def test_what_answers_help_and_misspelt_keys_imports_no_torch():
    """Importing torch and Lightning takes seconds; Hydra loads the callback of sweeps before every command."""
    code = "import sys, unhans.cli, unhans.experiment.sweep; print({'torch', 'pytorch_lightning'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


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
    html = ROOT / "src/unhans/report/html"
    page = {
        f"unhans/report/html/{path.relative_to(html)}" for path in (*html.glob("static/*"), *html.glob("templates/*"))
    }
    assert len(page) > 12
    assert configuration | modules | callbacks | page | {"unhans/py.typed"} <= set(names)
