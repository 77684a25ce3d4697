"""The case of an isolated artifact, found in a folder of analysis=effect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unhans.artifacts import can_be_put_on
from unhans.effects import Case
from unhans.experiment.cases.case_store import read_case
from unhans.experiment.run import ConfigurationError

CASES = "[0-9][0-9][0-9][0-9]*.json"  # as file_stem names them: NNNN-class.json, or NNNN.json without Latin letters


@dataclass(frozen=True)
class Kept:
    """A case as analysis=effect left it; mark: its file; weights: digest of the network that it was measured on."""

    mark: Path
    case: Case
    weights: str


def kept_case(path: Path, name: str | None = None) -> Kept:
    """Return a case with an isolated artifact.

    path: the JSON file of a case, or a folder: of analysis=effect, or with such files; name: the class, needed where a
    folder holds artifacts of several classes and not exactly one is proven. Raises ConfigurationError where there is no
    such case, or no artifact was isolated, and FileNotFoundError for a file that is not there.
    """
    kept = [one for one in _every(path) if name in (None, one.case.name)]
    if not kept:
        of_class = "" if name is None else f" of class {name!r}"
        raise ConfigurationError(f"the folder of analysis=effect expects a case{of_class} in it, got none in {path}.")
    whole = [one for one in kept if can_be_put_on(one.case.isolated)]
    if not whole:
        reasons = "; ".join(
            dict.fromkeys(one.case.trouble.rstrip(".") or "a given artifact was tested" for one in kept)
        )
        raise ConfigurationError(f"no artifact was isolated in {path}: {reasons}.")
    proven = [one for one in whole if one.case.proven]
    if len(whole) > 1 and len(proven) != 1:
        names = ", ".join(repr(one.case.name) for one in whole)
        raise ConfigurationError(f"{path} holds artifacts of several classes, {names}, and none is named.")
    return proven[0] if len(whole) > 1 else whole[0]


def _every(path: Path) -> list[Kept]:
    """All cases of a folder that this version can read, or the one of a file."""
    if path.is_file():
        return [_read(path)]
    if not path.is_dir():
        raise FileNotFoundError(f"a case expects the JSON file that analysis=effect writes, got no file at {path}")
    marks = sorted(path.glob(f"artifacts/{CASES}")) or sorted(path.glob(CASES))
    return [_read(mark) for mark in marks]


def _read(mark: Path) -> Kept:
    found = read_case(mark)
    if found is None:
        raise ConfigurationError(
            f"{mark} is no whole case of this version; analysis=effect with the same out= writes it anew."
        )
    case, key = found
    model = key["model"]  # of a survey, or the digest alone where a given artifact was tested
    return Kept(mark, case, model if isinstance(model, str) else model["weights"])
