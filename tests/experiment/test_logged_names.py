"""Classes that share a name, or whose names hold a slash, have keys of their own in every command's logger."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from unhans.experiment.analyses import squaring_analysis
from unhans.experiment.survey import overview

NAMES = {0: "crane", 1: "crane", 2: "cat/dog"}
KEYS = ["crane (0)", "crane (1)", "cat_dog"]


@pytest.fixture
def logged(monkeypatch):
    """What is given to the loggers: numbers, figures, tables."""
    found = []
    for module in (overview, squaring_analysis):
        monkeypatch.setattr(module, "log_once", lambda loggers, *given: found.append(given))
    return found


def test_of_a_survey(logged, monkeypatch, tmp_path):
    entries = [SimpleNamespace(label=label, name=name, suspicious=True, suspicion=True, clusters=[],
                               numbers=lambda label=label: {"score": float(label)})
               for label, name in NAMES.items()]  # fmt: skip
    monkeypatch.setattr(overview, "ranking_rows", lambda ranking: (("label",), [(one.label,) for one in ranking]))
    monkeypatch.setattr(overview, "ranked_clusters", lambda rows, ranking: list(rows))
    files = {label: SimpleNamespace(page=tmp_path / f"{label}.jpg", folder=tmp_path / str(label)) for label in NAMES}
    overview.log_overview(None, SimpleNamespace(files=files.get, out=tmp_path), entries, entries)
    numbers, figures, tables = logged[0]
    assert [numbers[f"audit/{key}/score"] for key in KEYS] == [0, 1, 2]
    assert [figures[f"audit/{key}/page"].name for key in KEYS] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [strip.parent.name for _, strip in tables["audit/ranking_table"][1]] == ["0", "1", "2"]


def test_of_squaring(logged, monkeypatch, tmp_path):
    effects = [SimpleNamespace(label=label, name=name, rise=float(label), expected=False)
               for label, name in NAMES.items()]  # fmt: skip
    monkeypatch.setattr(squaring_analysis, "squaring_rows", list)
    squaring_analysis._log(None, effects, tmp_path)
    assert [logged[0][0][f"squaring/rise/{key}"] for key in KEYS] == [0, 1, 2]
